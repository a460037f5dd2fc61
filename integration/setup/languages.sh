#!/bin/sh
# Makes the root file system of the tests that run language runtimes, compilers
# and a database under the seccomp tables.
#
# usage: languages.sh CACHE
set -eu

here=$(dirname "$0")
. "$here/unpack.sh"

unpack languages "$1" "200 MB" "python3-minimal nodejs openjdk-17-jre-headless gcc libc6-dev git mariadb-server-core mariadb-client-core
gosu base-files base-passwd bash dash coreutils util-linux procps grep sed gawk findutils tar gzip curl ca-certificates libc-bin"

account mysql 997 /var/lib/mysql /usr/sbin/nologin
ln -sf mawk "$root/usr/bin/awk"
[ -e "$root/usr/bin/mawk" ] || ln -sf gawk "$root/usr/bin/awk"
rm -rf "$root/usr/share/zoneinfo" "$root/usr/share/icons"
mkdir -p "$root/var/lib/mysql" "$root/run/mysqld" "$root/tmp"
# What the packages' own scripts would have made.
jvm=$(basename "$(find "$root/usr/lib/jvm" -maxdepth 1 -type d -name '*openjdk*' | head -n 1)")
ln -sf "/usr/lib/jvm/$jvm/bin/java" "$root/usr/bin/java"
for f in $(cd "$root/etc" && find . -path './java-*' -name '*.dpkg-new'); do mv "$root/etc/$f" "$root/etc/${f%.dpkg-new}"; done

pack
