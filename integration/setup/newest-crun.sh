#!/bin/sh
# Unpacks the newest crun of Debian, with the libraries that it was linked with,
# into CACHE/newest-crun-VERSION: it is not installed, and apt reads no list of this host's.
# One that is there is kept.
#
# usage: newest-crun.sh CACHE
set -eu

cache=$1
set -- "$cache"/newest-crun-*
[ ! -d "$1" ] || exit 0

tmp=$(mktemp -d "$cache/unpack.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/archives/partial" "$tmp/root"
: >"$tmp/status"

# The suite that moves first, and where that does not answer the stable one.
fetch() {
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $1 main" >"$tmp/sources.list"
	set -- -q -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$tmp/lists" \
		-o Dir::State::status="$tmp/status" -o Dir::Cache="$tmp" -o APT::Sandbox::User=root
	apt-get "$@" update >"$tmp/log" 2>&1 &&
		apt-get "$@" install -y --no-install-recommends --download-only crun >>"$tmp/log" 2>&1
}
echo "setup: unpacking Debian's newest crun, with its libraries"
fetch sid || fetch trixie || {
	tail -n 20 "$tmp/log" >&2
	exit 1
}
for package in "$tmp"/archives/*.deb; do dpkg-deb -x "$package" "$tmp/root"; done
version=$(basename "$tmp"/archives/crun_*.deb | cut -d_ -f2)
out=$cache/newest-crun-$version
loader=$(cd "$tmp/root" && find usr/lib -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)
libraries=$(dirname "$loader")
mkdir -p "$tmp/out/lib"
cp "$tmp/root/usr/bin/crun" "$tmp/out/crun"
cp -L "$tmp/root/$libraries"/*.so.* "$tmp/out/lib/"
patchelf --set-interpreter "$out/lib/${loader##*/}" --set-rpath "$out/lib" "$tmp/out/crun"
chmod 755 "$tmp/out"
mv "$tmp/out" "$out"
