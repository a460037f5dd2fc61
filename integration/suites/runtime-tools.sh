#!/bin/sh
# Runs the validation of runtime-tools over runc and over hatchdog in complain
# mode, and says where they differ. Its own default filter is too old for today's
# runc, which fails in many of its tests: what is compared is the same failure.
#
# usage: runtime-tools.sh CACHE BIN RUNC_VERSION
set -eu

cache=$1
bin=$(readlink -f "$2")
runc=$cache/runc-$3/runc
version=v0.9.0
dir=$cache/suite-runtime-tools-$version
if [ ! -e "$dir/ready" ]; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q jq >/dev/null
	rm -rf "$dir"
	module=$(cd /tmp && GOFLAGS=-mod=mod go mod download -json "github.com/opencontainers/runtime-tools@$version" | jq -r .Dir)
	cp -r "$module" "$dir"
	chmod -R u+w "$dir"
	cd "$dir"
	# It has no go.mod; these are the releases of its day.
	go mod init github.com/opencontainers/runtime-tools >/dev/null 2>&1
	go mod tidy >/dev/null 2>&1 || true
	go get github.com/opencontainers/selinux@v1.9.1 github.com/opencontainers/runtime-spec@v1.0.2 >/dev/null 2>&1
	CGO_ENABLED=0 go build -tags netgo -o runtimetest ./cmd/runtimetest
	for test in validation/*/; do
		name=$(basename "$test")
		[ ! -e "$test$name.go" ] || go build -o "$test$name.t" "./validation/$name"
	done
	touch ready
fi
cd "$dir"
work=$(mktemp -d /tmp/hatchdog-suite-XXXXXX)
trap 'rm -rf "$work"' EXIT
printf 'version: 1\nmode: complain\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s}\n' \
	"$work" "$work" "$work" "$runc" >"$work/policy.yaml"
chmod 600 "$work/policy.yaml"
printf '#!/bin/sh\nHATCHDOG_POLICY=%s exec %s "$@"\n' "$work/policy.yaml" "$bin/hatchdog" >"$work/runc"
chmod 755 "$work/runc"

for side in plain complain; do
	RUNTIME=$work/runc
	[ $side != plain ] || RUNTIME=$runc
	export RUNTIME
	for test in validation/*/*.t; do
		timeout 60 unshare --mount --net "$test" >"$work/out" 2>&1 </dev/null || true
		echo "$(basename "$test" .t): $(grep -c '^ok' "$work/out" || true) ok, $(grep -c '^not ok' "$work/out" || true) not ok"
	done >"$work/$side.result"
done
if ! diff "$work/plain.result" "$work/complain.result"; then
	echo "suites: complain mode differs from runc in runtime-tools' validation"
	exit 1
fi
echo "suites: $(wc -l <"$work/plain.result") programs of runtime-tools' validation, the same over runc and complain mode"
