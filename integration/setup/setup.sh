#!/bin/sh
# Installs what the tests, the demo and the benchmark need, once, and says what
# it does. What is there already costs milliseconds.
#
# usage: setup.sh CACHE all|bench|demo
#
# "demo" and "bench" leave out what only the tests need.
set -eu

cache=$1
what=$2
here=$(dirname "$0")
mkdir -p "$cache"

"$here/packages.sh" "$([ "$what" = all ] && echo all || echo demo)"
"$here/build.sh" "$cache" runc
[ "$what" = demo ] && exit 0
"$here/build.sh" "$cache" containerd
"$here/build.sh" "$cache" shim
[ "$what" = bench ] && exit 0
for year in 2019 2021 2023 2024 2025; do "$here/build.sh" "$cache" old-runc-$year; done
"$here/build.sh" "$cache" containerd-oldest
"$here/build.sh" "$cache" dockerd
"$here/build.sh" "$cache" docker-cli
"$here/servers.sh" "$cache"
"$here/languages.sh" "$cache"
"$here/images.sh" "$cache"
