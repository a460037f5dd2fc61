#!/bin/sh
# Installs a program of npm's registry into the cache, pinned, without running a
# script of it.
#
# usage: npm.sh CACHE pnpm
set -eu

here=$(dirname "$0")
# shellcheck source=versions.mk
. "$here/versions.mk"
case $2 in
pnpm) version=$PNPM_VERSION ;;
*)
	echo "setup: no program $2" >&2
	exit 64
	;;
esac
dest=$1/$2-$version
[ -e "$dest" ] && exit 0
echo "setup: installing $2 $version"
new=$(mktemp -d "$1/npm-XXXXXX")
trap 'rm -rf "$new"' EXIT
npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$new" "$2@$version"
chmod 755 "$new"
mv "$new" "$dest"
