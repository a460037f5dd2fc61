#!/bin/sh
# Puts hatchdog on the node that is mounted at NODE, or takes it away.
#
# usage: node.sh install|uninstall|wait
#
# The image has the programs in IMAGE; the policy is in POLICY. The node's
# containerd is restarted from its own namespaces.
set -eu

NODE=${NODE:-/node}
IMAGE=${IMAGE:-/opt/hatchdog}
POLICY=${POLICY:-/policy}
bin=$NODE/usr/local/bin

# The node's own programs, in its own namespaces.
on_node() {
	if [ "$NODE" = /node ]; then
		nsenter --target 1 --mount --uts --ipc --net --pid -- "$@"
	else
		chroot "$NODE" "$@" # a system that is not booted
	fi
}

# A whole file at once: a container may start at any moment.
put() {
	cp "$1" "$2.new"
	chmod "$3" "$2.new"
	mv -f "$2.new" "$2"
}

restart_command() {
	for unit in k3s-agent k3s rke2-agent rke2-server containerd; do
		if on_node systemctl is-active --quiet "$unit"; then
			echo "systemctl restart $unit"
			return
		fi
	done
	echo "node.sh: no unit of containerd, k3s or rke2 is active" >&2
	return 1
}

case ${1:-} in
install)
	mkdir -p "$bin" "$NODE/etc/hatchdog"
	for program in hatchdog hatchctl containerd-shim-hatchdog-v1; do
		put "$IMAGE/$program" "$bin/$program" 0755
	done
	# Checked before it counts: with one that does not parse no container starts.
	cp "$POLICY/policy.yaml" "$NODE/etc/hatchdog/policy.yaml.new"
	on_node /usr/local/bin/hatchctl policy check /etc/hatchdog/policy.yaml.new
	put "$POLICY/policy.yaml" "$NODE/etc/hatchdog/policy.yaml" 0644
	command=$(restart_command)
	on_node /usr/local/bin/hatchctl install containerd --restart --restart-with "$command" --alive-with "systemctl is-active --quiet ${command#systemctl restart }"
	;;
uninstall)
	[ -x "$bin/hatchctl" ] || exit 0
	# All stays while a container of hatchdog's is there: containerd calls the
	# programs to stop and delete it, and needs the handler to restart it.
	needed=$(on_node /usr/local/bin/hatchctl list --needed)
	if [ -n "$needed" ]; then
		echo "node.sh: containers run under hatchdog: drain the node, then run this again" >&2
		exit 1
	fi
	command=$(restart_command)
	on_node /usr/local/bin/hatchctl uninstall containerd --restart --restart-with "$command" --alive-with "systemctl is-active --quiet ${command#systemctl restart }"
	rm -f "$bin/hatchdog" "$bin/containerd-shim-hatchdog-v1" "$bin/hatchctl"
	rm -f "$NODE/etc/hatchdog/policy.yaml" "$NODE/etc/hatchdog/policy.yaml.new"
	rmdir "$NODE/etc/hatchdog" 2>/dev/null || true
	# What no container needs any more: records, and which ids they had.
	rm -rf "$NODE/run/hatchdog" "$NODE/var/lib/hatchdog"
	;;
wait)
	trap 'exit 0' TERM INT
	while :; do
		sleep 3600 &
		wait $!
	done
	;;
*)
	echo "usage: node.sh install|uninstall|wait" >&2
	exit 2
	;;
esac
