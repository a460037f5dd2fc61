#!/bin/sh
# Unpacks Debian's crun without installing it: Podman would choose an installed
# one. packages.sh installs the libraries that it needs.
#
# usage: crun.sh CACHE
#
# Result: CACHE/crun-HASH/, HASH being that of this script.
set -eu

cache=$1
hash=$(sha256sum "$0" | cut -c1-12)
out=$cache/crun-$hash
[ -d "$out" ] && exit 0

echo "setup: fetching Debian's crun"
tmp=$(mktemp -d "$cache/crun.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/out" "$tmp/root"
cd "$tmp"
apt-get update -q >"$tmp/log" 2>&1 || tail -n 2 "$tmp/log" >&2 # an old list may still do
apt-get -q -o APT::Sandbox::User=root download crun >"$tmp/log" 2>&1 || {
	tail -n 5 "$tmp/log" >&2
	exit 1
}
dpkg-deb -x crun_*.deb "$tmp/root"
cp "$tmp/root/usr/bin/crun" "$tmp/out/"
mv "$tmp/out" "$out"
