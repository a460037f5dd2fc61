#!/bin/sh
# Makes the root file system of the tests that run language runtimes, compilers
# and a database under the seccomp tables, from Debian's packages and everything
# they depend on: unpacked, not installed, so this host does not change.
#
# usage: languages.sh CACHE
#
# Result: CACHE/languages-HASH.tar, HASH being that of this script.
set -eu

cache=$1
hash=$(sha256sum "$0" | cut -c1-12)
out=$cache/languages-$hash.tar
[ -f "$out" ] && exit 0

packages="python3-minimal nodejs openjdk-17-jre-headless gcc libc6-dev git mariadb-server-core mariadb-client-core
gosu base-files base-passwd bash dash coreutils util-linux procps grep sed gawk findutils tar gzip curl ca-certificates libc-bin"

echo "setup: fetching the packages of languages, about 200 MB"
tmp=$(mktemp -d "$cache/languages.XXXXXX")
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
echo 'mysql:x:997:997::/var/lib/mysql:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'mysql:x:997:' >>"$root/etc/group"
ln -sf mawk "$root/usr/bin/awk"
[ -e "$root/usr/bin/mawk" ] || ln -sf gawk "$root/usr/bin/awk"
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/zoneinfo" "$root/usr/share/icons"
mkdir -p "$root/var/lib/mysql" "$root/run/mysqld" "$root/tmp"
# What the packages' own scripts would have made.
jvm=$(basename "$(find "$root/usr/lib/jvm" -maxdepth 1 -type d -name '*openjdk*' | head -n 1)")
ln -sf "/usr/lib/jvm/$jvm/bin/java" "$root/usr/bin/java"
for f in $(cd "$root/etc" && find . -path './java-*' -name '*.dpkg-new'); do mv "$root/etc/$f" "$root/etc/${f%.dpkg-new}"; done

tar -C "$root" --numeric-owner -cf "$tmp/languages.tar" .
mv "$tmp/languages.tar" "$out"
