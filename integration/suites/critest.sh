#!/bin/sh
# Builds Kubernetes' validation of container runtimes once, in the cache under its
# version, and runs it over runc and hatchdog: TestCritest compares.
#
# usage: critest.sh CACHE VERSION
set -eu

cache=$1
version=$2
dir=$cache/critest-$version
if [ ! -x "$dir/critest" ]; then
	echo "suites: building critest $version"
	rm -rf "$dir"
	mkdir -p "$dir"
	module=$(cd "$dir" && GOFLAGS=-mod=mod go mod download -json "sigs.k8s.io/cri-tools@$version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
	cp -r "$module" "$dir/source"
	chmod -R u+w "$dir/source"
	(cd "$dir/source" && go test -c -ldflags '-s -w' -o "$dir/critest.new" ./cmd/critest)
	rm -rf "$dir/source"
	mv "$dir/critest.new" "$dir/critest"
fi
cd "$(dirname "$0")/../.."
go test -count=1 -v -timeout 90m ./integration -run TestCritest -args -critest "$dir/critest"
