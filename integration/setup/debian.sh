#!/bin/sh
# Unpacks programs of Debian packages into CACHE/PACKAGE-VERSION: nothing is
# installed. There already: nothing to do.
#
# usage: debian.sh CACHE PACKAGE
set -eu

cache=$1
package=$2

set -- "$cache/$package"-[0-9]*
[ ! -d "$1" ] || exit 0
version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')
[ -n "$version" ] || apt-get update -q >/dev/null
version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')
echo "setup: unpacking Debian's $package $version"
tmp=$(mktemp -d "$cache/debian.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download -q -o APT::Sandbox::User=root "$package=$version" >"$tmp/log" 2>&1 || {
	tail -n 20 "$tmp/log" >&2
	exit 1
}
mkdir root
dpkg-deb -x ./*.deb root
mv root "$cache/$package-$version"
