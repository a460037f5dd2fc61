#!/bin/sh
# Builds dist/*.deb and dist/*.rpm from bin/. The same commit gives the same
# bytes.
#
# usage: build.sh NFPM VERSION (run in the project's folder)
set -eu

nfpm=$1
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

PACKAGE_VERSION=$(printf '%s' "$2" | sed 's/^v//; /^[0-9]*\./!s/^/0.0.0+/')
PACKAGE_ARCH=$(go env GOARCH)
export SOURCE_DATE_EPOCH PACKAGE_VERSION PACKAGE_ARCH

rm -rf dist
mkdir -p dist/man dist/completion
go run -tags hatchdog_manual ./cmd/hatchctl manual dist/man
for shell in bash zsh fish; do
	bin/hatchctl completion $shell >dist/completion/hatchctl.$shell
done
for packager in deb rpm; do
	"$nfpm" package --config deploy/package/nfpm.yaml --packager $packager --target dist/
done
