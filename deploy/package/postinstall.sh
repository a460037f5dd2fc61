#!/bin/sh
# Makes the engines that are here know hatchdog. None of them is restarted: the
# administrator chooses when.
set -e
for engine in docker containerd; do
	case $engine in
	docker) program=dockerd ;;
	*) program=$engine ;;
	esac
	command -v $program >/dev/null 2>&1 || continue
	hatchctl install $engine --binary /usr/bin/hatchdog || echo "hatchdog: $engine was left as it is; see: hatchctl doctor" >&2
done

# Boxes of ordinary users, where AppArmor keeps user namespaces from programs without a
# profile: a parser that knows the rule is there as well.
if [ -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns ] && [ -d /etc/apparmor.d ]; then
	cp /usr/share/hatchdog/apparmor/hatchctl /etc/apparmor.d/hatchctl
	apparmor_parser -r /etc/apparmor.d/hatchctl || echo "hatchdog: ordinary users cannot run boxes; see: hatchctl doctor --sandbox" >&2
fi

# The units that are on by themselves, if systemd is here.
command -v systemctl >/dev/null 2>&1 || exit 0
for unit in /usr/lib/systemd/system/hatchdog-apparmor.service; do
	[ -e "$unit" ] || continue
	systemctl enable "${unit##*/}" || echo "hatchdog: ${unit##*/} was not enabled" >&2
	[ -d /run/systemd/system ] || continue
	systemctl daemon-reload
	systemctl restart "${unit##*/}" || echo "hatchdog: ${unit##*/} did not start" >&2
done
