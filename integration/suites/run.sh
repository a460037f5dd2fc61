#!/bin/sh
# Runs runc's own test suite three times, over runc, over hatchdog in complain
# mode and over hatchdog in enforce mode, and says where they differ. Complain
# mode may differ nowhere; enforce mode in the tests of enforce.txt alone.
#
# usage: run.sh CACHE BIN RUNC_VERSION [FILE.bats ...]
set -eu

cache=$1
bin=$(readlink -f "$2")
version=$3
shift 3
here=$(readlink -f "$(dirname "$0")")
suite=$("$here/build.sh" "$cache" "$version")
runc=$cache/runc-$version/runc
work=$(mktemp -d /tmp/hatchdog-suite-XXXXXX)
chmod 755 "$work"
ls -d /sys/fs/cgroup/*/ >"$work/groups"
# On control groups of version 1 the suite makes folders for the controllers that
# the host has not mounted.
clean_up() {
	find /sys/fs/cgroup -depth -type d -name 'runc-cgroups-integration-test*' -exec rmdir {} + 2>/dev/null || true
	for dir in /sys/fs/cgroup/*/; do
		grep -qxF "$dir" "$work/groups" || find "$dir" -depth -exec rmdir {} + 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean_up EXIT
cp "$bin/hatchdog" "$work/hatchdog"

for mode in complain enforce; do
	cat >"$work/$mode.yaml" <<EOF
version: 1
mode: $mode
stateDir: $work/$mode-state
ids: {dir: $work/$mode-ids}
audit: {path: $work/$mode-log/audit.jsonl}
runtime: {path: $runc}
EOF
	chmod 600 "$work/$mode.yaml"
	# The suite takes the name of the program from its file.
	mkdir "$work/$mode"
	printf '#!/bin/sh\nHATCHDOG_POLICY=%s exec %s "$@"\n' "$work/$mode.yaml" "$work/hatchdog" >"$work/$mode/runc"
	chmod 755 "$work/$mode/runc"
done

cd "$suite/runc/tests/integration"
# sshfs and CRIU are not installed, and what they test is not ours.
[ $# -gt 0 ] || set -- $(ls ./*.bats | grep -v -e mounts_sshfs -e checkpoint)

# over runs the suite over a program. It wants a terminal, and a network of its
# own that it may change. A helper that a refused container left would hold it at
# its end for ever.
over() {
	RUNC=$1 TERM=xterm unshare --mount --net --propagation private script -q -e -c \
		"ip link set lo up; timeout --foreground 1800 bats --tap $2 >$3.tap 2>$3.err" /dev/null >/dev/null 2>&1 </dev/null &
	while kill -0 $! 2>/dev/null; do
		sleep 3
		total=$(sed -n 's/^1\.\.//p' "$3.tap" 2>/dev/null)
		[ "$(grep -c -e '^ok' -e '^not ok' "$3.tap")" != "$total" ] || pkill -f "$suite/runc/tests/cmd/_bin/" || true
	done
}

for side in plain complain enforce; do
	program=$work/$side/runc
	[ $side != plain ] || program=$runc
	echo "suites: runc's own, $side"
	over "$program" "$*" "$work/$side"
	sed -n 's/^ok [0-9]* //p' "$work/$side.tap" | grep -v '# skip' | sort -u >"$work/$side.ok"
	sed -n 's/^not ok [0-9]* //p' "$work/$side.tap" | sort -u >"$work/$side.failed"
	echo "suites: $(wc -l <"$work/$side.ok") passed, $(wc -l <"$work/$side.failed") failed, $(grep -c '# skip' "$work/$side.tap" || true) skipped"
	cp "$work/$side.tap" "$suite/$side.tap"
done

cut -f1 "$here/enforce.txt" | grep -v '^#' | sort -u >"$work/known"
comm -12 "$work/plain.ok" "$work/complain.failed" >"$work/complain.worse"
comm -12 "$work/plain.ok" "$work/enforce.failed" >"$work/enforce.worse"
comm -23 "$work/enforce.worse" "$work/known" >"$work/enforce.new"
sed 's/^/suites: complain mode breaks: /' "$work/complain.worse"
sed 's/^/suites: enforce mode breaks, and enforce.txt has it not: /' "$work/enforce.new"
echo "suites: $(wc -l <"$work/enforce.worse") tests differ in enforce mode, $(wc -l <"$work/enforce.new") of them unexplained; $(wc -l <"$work/complain.worse") in complain mode"
[ ! -s "$work/complain.worse" ] && [ ! -s "$work/enforce.new" ]
