#!/bin/sh
# Installs the Debian packages that are missing. Starts no service.
#
# usage: packages.sh all|bench|peers|demo|docs
set -eu

case $1 in
docs) packages=chromium ;;
demo) packages="busybox-static libseccomp-dev pkg-config iproute2 util-linux" ;;
bench) packages="busybox-static libseccomp-dev pkg-config iproute2 util-linux bubblewrap firejail" ;;
peers) packages="busybox-static libseccomp-dev pkg-config iproute2 util-linux podman patchelf debian-archive-keyring" ;;
*) packages="busybox-static libseccomp-dev pkg-config docker.io containerd runc \
iproute2 iptables nftables containernetworking-plugins util-linux procps apparmor rpm \
podman uidmap patchelf slirp4netns passt fuse-overlayfs qemu-system-x86 mmdebstrap debian-archive-keyring e2fsprogs" ;;
esac

# The tools whose presets are tried and the clients that look names up, wherever they come from.
if [ "$1" = all ]; then
	for tool in npm curl python3; do command -v $tool >/dev/null || packages="$packages $tool"; done
	command -v javac >/dev/null || packages="$packages default-jdk-headless"
	command -v psql >/dev/null || packages="$packages postgresql-client"
	command -v musl-gcc >/dev/null || packages="$packages musl-tools"
	# The first cargo of Debian 12 knows no registries over HTTP; cargo-web does.
	cargo=cargo
	grep -q '^VERSION_ID="12"' /etc/os-release && cargo=cargo-web
	command -v cargo >/dev/null || packages="$packages $cargo"
	command -v mvn >/dev/null || packages="$packages maven"
	command -v javac >/dev/null || packages="$packages default-jdk-headless"
	/usr/bin/python3 -m pip --version >/dev/null 2>&1 || packages="$packages python3-pip"
fi

missing=
for p in $packages; do
	state=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)
	[ "$state" = "install ok installed" ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "setup: these packages are missing and only root can install them:$missing" >&2
	exit 1
fi

# Packages of daemons start them when they are installed. The tests start
# their own, so for as long as apt runs invoke-rc.d is told not to.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy "$log"' EXIT
fi

echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	exit 1
fi
