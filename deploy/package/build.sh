#!/bin/sh
# Builds OUT/*.deb and OUT/*.rpm from the programs in BIN. The same commit gives
# the same bytes.
#
# usage: build.sh NFPM VERSION [BIN [OUT]] (run in the project's folder)
set -eu

nfpm=$1
BIN=${3:-bin}
OUT=${4:-dist}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

PACKAGE_VERSION=$(printf '%s' "$2" | sed 's/^v//; /^[0-9]*\./!s/^/0.0.0+/')
PACKAGE_ARCH=$(go env GOARCH)
export BIN OUT SOURCE_DATE_EPOCH PACKAGE_VERSION PACKAGE_ARCH

rm -rf "$OUT"
mkdir -p "$OUT/man" "$OUT/completion" "$OUT/systemd"
go run -tags hatchdog_manual ./cmd/hatchctl manual "$OUT/man"
for shell in bash zsh fish; do
	"$BIN/hatchctl" completion $shell >"$OUT/completion/hatchctl.$shell"
done

# The units, which name the place of "make install"; a package's is /usr/bin.
cp deploy/package/nfpm.yaml "$OUT/nfpm.yaml"
for unit in deploy/systemd/*.service; do
	[ -e "$unit" ] || continue
	name=${unit##*/}
	sed 's|/usr/local/bin/|/usr/bin/|g' "$unit" >"$OUT/systemd/$name"
	printf '  - {src: "%s", dst: /usr/lib/systemd/system/%s, file_info: {mode: 0644}}\n' "$OUT/systemd/$name" "$name" >>"$OUT/nfpm.yaml"
done

for packager in deb rpm; do
	"$nfpm" package --config "$OUT/nfpm.yaml" --packager $packager --target "$OUT/"
done
