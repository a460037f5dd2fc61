#!/bin/sh
# Makes the guest's root file system and kernel from Debian's packages. The
# result is kept under a hash of this folder and of hatchdog's module for
# SELinux: change a file here and it is made again.
#
# usage: build.sh CACHE SUITE
#
# Result, whose path is printed last: CACHE/vm-SUITE-HASH/{root.img,vmlinuz}.
set -eu

cache=$1
suite=$2
here=$(cd "$(dirname "$0")" && pwd)
mirror=${HATCHDOG_DEBIAN_MIRROR:-http://deb.debian.org}
module=$here/../../../deploy/selinux/hatchdog.cil
hash=$(cat "$here"/* "$module" | sha256sum | cut -c1-12)
out=$cache/vm-$suite-$hash
if [ -f "$out/root.img" ]; then
	touch "$out"
	echo "$out"
	exit 0
fi

say() { echo "vm: $*" >&2; }

say "building the image of $suite from Debian's packages, about 250 MB; the first time takes two minutes"
mkdir -p "$cache"
tmp=$(mktemp -d "$cache/vm.XXXXXX")
builder=
# mmdebstrap has mounts in the folder, in a mount namespace of its own, and what
# it started ends with it.
clean() {
	[ -z "$builder" ] || kill "$builder" || true
	[ -z "$builder" ] || wait "$builder" || true
	rm -rf --one-file-system "$tmp"
}
trap clean EXIT
trap 'exit 1' INT TERM
chmod 755 "$tmp"

packages=$(grep -v '^#' "$here/packages.txt")
# A package of its own since, and a policy of SELinux that knows of containers.
[ "$suite" = bookworm ] || packages="$packages docker-cli policycoreutils selinux-policy-default selinux-utils"

# The kernel is downloaded but not installed: it would want an initrd, which
# this guest does not need.
unshare --mount --mount-proc --pid --fork --kill-child mmdebstrap --mode=root --variant=minbase --format=directory \
	--include="$(echo "$packages" | tr '\n' ' ')" \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--aptopt='Acquire::Retries "3"' \
	--customize-hook='chroot "$1" sh -c "cd /var/tmp && apt-get download \$(apt-cache depends linux-image-cloud-amd64 | sed -n \"s/.*Depends: \\(linux-image-[^ ]*\\)/\\1/p\")"' \
	"$suite" "$tmp/root" - >"$tmp/log" 2>&1 <<SOURCES &
deb $mirror/debian $suite main
deb $mirror/debian $suite-updates main
deb $mirror/debian-security $suite-security main
SOURCES
builder=$!
step=
while kill -0 $builder 2>/dev/null; do
	sleep 2
	now=$(grep '^I: ' "$tmp/log" | tail -n 1 || true)
	[ "$now" = "$step" ] || say "$(echo "${now#I: }" | cut -c1-60)"
	step=$now
done
status=0
wait $builder || status=$?
builder=
if [ $status != 0 ]; then
	tail -n 20 "$tmp/log" >&2
	exit 1
fi

root=$tmp/root
mkdir "$tmp/kernel" "$tmp/out"
dpkg-deb -x "$root"/var/tmp/linux-image-*.deb "$tmp/kernel"
rm "$root"/var/tmp/linux-image-*.deb
mv "$tmp"/kernel/boot/vmlinuz-* "$tmp/out/vmlinuz"
# lib is a link to usr/lib in the guest, and in newer packages.
[ -d "$tmp/kernel/usr/lib/modules" ] || { mkdir -p "$tmp/kernel/usr" && mv "$tmp/kernel/lib" "$tmp/kernel/usr/lib"; }
mv "$tmp/kernel/usr/lib/modules" "$root/usr/lib/modules"
chroot "$root" depmod "$(ls "$root/usr/lib/modules")"

mkdir -p "$root/vm" "$root/payload"
install -m 755 "$here/init" "$root/vm/init"
echo hatchdog-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost hatchdog-vm\n' >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"

# The labels are written here, since a file without one is closed to the guest
# that enforces. A host needs no SELinux to write them.
if [ -d "$root/usr/share/selinux/default" ]; then
	say "labelling the files for SELinux"
	cp "$here/payload.cil" "$module" "$root/var/tmp/"
	chroot "$root" semodule -n -s default -i /var/tmp/payload.cil /var/tmp/hatchdog.cil >>"$tmp/log" 2>&1
	printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"
	contexts=/etc/selinux/default/contexts/files
	chroot "$root" setfiles -F "$contexts/file_contexts" / >>"$tmp/log" 2>&1
fi

say "writing the disk"
truncate -s 3G "$tmp/out/root.img"
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$tmp/out/root.img"
rm -rf "$out"
mv "$tmp/out" "$out"
# Images of older recipes that nobody has used for a week.
find "$cache" -maxdepth 1 -type d -name 'vm-*' -mtime +7 -exec rm -rf {} +
say "made $out, $(du -h "$out/root.img" | cut -f1)"
echo "$out"
