#!/bin/sh
# Makes the root file system of the server tests from Debian's packages of
# nginx, redis and postgres and everything they depend on: unpacked, not
# installed, so this host does not change.
#
# usage: servers.sh CACHE
#
# Result: CACHE/servers-HASH.tar, HASH being that of this script.
set -eu

cache=$1
hash=$(sha256sum "$0" | cut -c1-12)
out=$cache/servers-$hash.tar
[ -f "$out" ] && exit 0

packages="nginx-light redis-server redis-tools postgresql-15 postgresql-client-15
gosu base-files base-passwd bash dash coreutils util-linux procps curl libc-bin"

echo "setup: fetching the server packages, about 105 MB"
tmp=$(mktemp -d "$cache/servers.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/archives/partial" "$tmp/root"
: >"$tmp/status"
apt-get update -q >"$tmp/log" 2>&1 || tail -n 2 "$tmp/log" >&2 # an old list may still do
# An empty package database makes apt count the whole closure as missing.
# shellcheck disable=SC2086 # a list of words
apt-get -q -y --no-install-recommends --download-only \
	-o Dir::State::status="$tmp/status" -o Dir::Cache::archives="$tmp/archives" \
	-o APT::Sandbox::User=root -o Debug::NoLocking=true \
	install $packages >"$tmp/log" 2>&1 || {
	tail -n 5 "$tmp/log" >&2
	exit 1
}

root=$tmp/root
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
for d in bin sbin lib lib64; do ln -s usr/$d "$root/$d"; done
n=0
for deb in "$tmp"/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
	n=$((n + 1))
	[ $((n % 20)) -ne 0 ] || echo "setup: unpacked $n packages"
done

cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo 'redis:x:998:998::/var/lib/redis:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'redis:x:998:' >>"$root/etc/group"
echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>"$root/etc/passwd"
echo 'postgres:x:999:' >>"$root/etc/group"
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/zoneinfo/right"
mkdir -p "$root/var/lib/nginx" "$root/var/lib/redis" "$root/var/lib/postgresql/data" "$root/run/postgresql"

tar -C "$root" --numeric-owner -cf "$tmp/servers.tar" .
mv "$tmp/servers.tar" "$out"
