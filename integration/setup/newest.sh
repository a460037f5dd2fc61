#!/bin/sh
# Unpacks the newest crun, Podman or AppArmor parser of Debian, with the libraries that
# they were linked with, into CACHE/newest-NAME-VERSION: nothing is installed, and apt reads no
# list of this host's. One that is there is kept.
#
# usage: newest.sh CACHE crun|podman|apparmor
set -eu

cache=$1
name=$2
case $name in
crun) packages=crun programs="usr/bin/crun" ;;
podman) packages="podman netavark conmon" programs="usr/bin/podman usr/bin/conmon usr/lib/podman/netavark" ;;
apparmor) packages=apparmor programs="usr/sbin/apparmor_parser" ;;
*)
	echo "newest.sh: unknown program $name" >&2
	exit 2
	;;
esac
set -- "$cache/newest-$name"-*
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
	# shellcheck disable=SC2086 # a list of words
	apt-get "$@" update >"$tmp/log" 2>&1 &&
		apt-get "$@" install -y --no-install-recommends --download-only $packages >>"$tmp/log" 2>&1
}
echo "setup: unpacking Debian's newest $name, with its libraries"
fetch sid || fetch trixie || {
	tail -n 20 "$tmp/log" >&2
	exit 1
}
for package in "$tmp"/archives/*.deb; do dpkg-deb -x "$package" "$tmp/root"; done
version=$(basename "$tmp/archives/${name}"_*.deb | cut -d_ -f2 | tr : -)
out=$cache/newest-$name-$version
loader=$(cd "$tmp/root" && find usr/lib -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)
mkdir -p "$tmp/out/lib"
cp -L "$tmp/root/$(dirname "$loader")"/*.so.* "$tmp/out/lib/"
for program in $programs; do
	cp "$tmp/root/$program" "$tmp/out/"
	patchelf --set-interpreter "$out/lib/${loader##*/}" --force-rpath --set-rpath "$out/lib" "$tmp/out/${program##*/}"
done
# What a policy includes.
[ "$name" != apparmor ] || cp -r "$tmp/root/etc/apparmor.d" "$tmp/out/"
chmod 755 "$tmp/out"
mv "$tmp/out" "$out"
