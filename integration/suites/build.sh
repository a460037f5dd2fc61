#!/bin/sh
# Makes runc's own test suite ready to run, once, in the cache under runc's
# version: its scripts and helper programs from the module proxy, images in
# place of those that it would download.
#
# usage: build.sh CACHE RUNC_VERSION, which prints the folder
set -eu

cache=$1
version=$2
dir=$cache/suite-runc-$version
if [ -e "$dir/ready" ]; then
	echo "$dir"
	exit 0
fi
echo "suites: installing what runc's suite needs" >&2
DEBIAN_FRONTEND=noninteractive apt-get install -y -q bats jq socat gawk debootstrap bsdutils busybox-static libseccomp-dev >/dev/null
rm -rf "$dir"
mkdir -p "$dir"
module=$(cd /tmp && GOFLAGS=-mod=mod go mod download -json "github.com/opencontainers/runc@$version" | jq -r .Dir)
cp -r "$module" "$dir/runc"
chmod -R u+w "$dir/runc"
tests=$dir/runc/tests
# The proxy's archive keeps no modes.
chmod +x "$tests"/integration/*.sh "$tests"/integration/*.bats
mkdir "$tests/cmd/_bin"
for program in fs-idmap key_label pidfd-kill recvtty remap-rootfs sd-helper seccompagent; do
	(cd "$dir/runc" && go build -tags seccomp -o "tests/cmd/_bin/$program" "./tests/cmd/$program")
done

echo "suites: making images" >&2
root=$dir/busybox
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/root" "$root/var" "$root/home" "$root/dev"
cp /bin/busybox "$root/bin/busybox"
# Hard links, as in the image that the suite downloads: it changes their modes.
for applet in $(/bin/busybox --list-full); do
	for name in "$applet" "bin/$(basename "$applet")"; do
		mkdir -p "$root/$(dirname "$name")"
		[ -e "$root/$name" ] || ln "$root/bin/busybox" "$root/$name"
	done
done
cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
EOF
printf 'root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n' >"$root/etc/group"
chmod 1777 "$root/tmp"
arch=$(go env GOARCH)
tar -C "$root" -cf "$tests/integration/testdata/busybox-$arch.tar.xz" .
debootstrap --variant=minbase bookworm "$dir/debian" >"$dir/debootstrap.log" 2>&1
rm -rf "$dir/debian/usr/share/doc" "$dir/debian/usr/share/locale" "$dir/debian/usr/share/man" "$dir/debian/var/cache/apt" "$dir/debian/var/lib/apt/lists"
tar -C "$dir/debian" -cf "$tests/integration/testdata/debian-$arch.tar.xz" .
rm -rf "$dir/debian" "$root"
touch "$dir/ready"
echo "$dir"
