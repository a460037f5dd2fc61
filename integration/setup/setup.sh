#!/bin/sh
# Installs what the tests, the demo and the benchmark need, once, and says what
# it does. What is there already costs milliseconds.
#
# usage: setup.sh CACHE all|bench|peers|demo
#
# "demo", "bench" and "peers" leave out what only the tests need, and "all" what
# only "peers" needs.
set -eu

cache=$1
what=$2
here=$(dirname "$0")
mkdir -p "$cache"

case $what in
all | bench | peers) "$here/packages.sh" "$what" ;;
*) "$here/packages.sh" demo ;;
esac
"$here/build.sh" "$cache" runc
[ "$what" = demo ] && exit 0
if [ "$what" = peers ]; then
	"$here/build.sh" "$cache" runsc
	"$here/newest.sh" "$cache" crun
	exit 0
fi
"$here/build.sh" "$cache" containerd
"$here/build.sh" "$cache" shim
"$here/servers.sh" "$cache"
[ "$what" = bench ] && exit 0
for year in 2019 2021 2023 2024 2025; do "$here/build.sh" "$cache" old-runc-$year; done
"$here/build.sh" "$cache" containerd-oldest
"$here/build.sh" "$cache" dockerd
"$here/build.sh" "$cache" docker-cli
"$here/build.sh" "$cache" compose
"$here/build.sh" "$cache" buildx
for name in crun podman apparmor; do "$here/newest.sh" "$cache" $name; done
"$here/npm.sh" "$cache" pnpm
"$here/languages.sh" "$cache"
"$here/images.sh" "$cache"
"$here/debian.sh" "$cache" prometheus
