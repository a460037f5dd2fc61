#!/bin/sh
# Makes the root file system of the server tests: nginx, redis and postgres.
#
# usage: servers.sh CACHE
set -eu

here=$(dirname "$0")
. "$here/unpack.sh"

unpack servers "$1" "105 MB" "nginx-light redis-server redis-tools postgresql-15 postgresql-client-15
gosu base-files base-passwd bash dash coreutils util-linux procps curl libc-bin"

account redis 998 /var/lib/redis /usr/sbin/nologin
account postgres 999 /var/lib/postgresql /bin/sh
rm -rf "$root/usr/share/zoneinfo/right"
mkdir -p "$root/var/lib/nginx" "$root/var/lib/redis" "$root/var/lib/postgresql/data" "$root/run/postgresql"

pack
