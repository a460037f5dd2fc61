#!/bin/sh
# Makes the root file system of the tests that do what the entry points of images
# do: a Debian with the packages of many official images, installed into a folder
# with their own scripts, so accounts, PAM and the package database are as they are
# in an image that is built with apt-get. This host does not change.
#
# usage: images.sh CACHE
#
# Result: CACHE/images-HASH.tar, HASH being that of this script.
set -eu

cache=$1
hash=$(sha256sum "$0" | cut -c1-12)
out=$cache/images-$hash.tar
[ -f "$out" ] && exit 0

accounts="passwd login adduser sudo gosu libpam-modules"
supervision="tini dumb-init s6 execline runit supervisor cron logrotate rsyslog"
network="openssh-server openssh-client postfix msmtp iputils-ping haproxy keepalived curl netcat-openbsd dnsmasq squid varnish"
tools="git rsync unzip zip python3-pip python3-venv fuse3 apt-utils dpkg-dev procps ca-certificates busybox-static libcap2-bin"
web="nginx-light apache2 libapache2-mod-php php-fpm php-cli caddy"
data="mariadb-server postgresql redis-server memcached rabbitmq-server influxdb etcd-server mosquitto nats-server docker-registry"
languages="nodejs ruby perl openjdk-17-jre-headless tomcat10"

echo "setup: installing the packages of images into a folder, about 400 MB; some minutes"
tmp=$(mktemp -d "$cache/images.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# mmdebstrap has mounts in the folder: in a mount namespace of its own.
unshare --mount --propagation private mmdebstrap --variant=minbase --mode=root \
	--include="$(echo $accounts $supervision $network $tools $web $data $languages | tr ' ' ,)" \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--essential-hook='echo "postfix postfix/main_mailer_type select Local only" | chroot "$1" debconf-set-selections' \
	bookworm "$tmp/images.tar" >"$tmp/log" 2>&1 || {
	tail -n 20 "$tmp/log" >&2
	exit 1
}
mv "$tmp/images.tar" "$out"
