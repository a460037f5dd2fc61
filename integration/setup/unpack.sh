#!/bin/sh
# Sourced by servers.sh and languages.sh: makes a root file system from Debian's
# packages and everything they depend on: unpacked, not installed, so this host does
# not change.
#
# The result is CACHE/NAME-HASH.tar, HASH being that of the script and of this one.

# unpack NAME CACHE SIZE PACKAGES: ends the script where the result is there; leaves
# the packages in $root otherwise.
unpack() {
	name=$1
	out=$2/$name-$(cat "$0" "$here/unpack.sh" | sha256sum | cut -c1-12).tar
	[ ! -f "$out" ] || exit 0

	echo "setup: fetching the packages of $name, about $3"
	tmp=$(mktemp -d "$2/$name.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	mkdir -p "$tmp/archives/partial" "$tmp/root"
	: >"$tmp/status"
	apt-get update -q >"$tmp/log" 2>&1 || tail -n 2 "$tmp/log" >&2 # an old list may still do
	# An empty package database makes apt count the whole closure as missing.
	# shellcheck disable=SC2086 # a list of words
	apt-get -q -y --no-install-recommends --download-only \
		-o Dir::State::status="$tmp/status" -o Dir::Cache::archives="$tmp/archives" \
		-o APT::Sandbox::User=root -o Debug::NoLocking=true \
		install $4 >"$tmp/log" 2>&1 || {
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
	rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
}

# account NAME ID HOME SHELL adds a user and its group.
account() {
	echo "$1:x:$2:$2::$3:$4" >>"$root/etc/passwd"
	echo "$1:x:$2:" >>"$root/etc/group"
}

# pack makes the result of $root.
pack() {
	tar -C "$root" --numeric-owner -cf "$tmp/$name.tar" .
	mv "$tmp/$name.tar" "$out"
}
