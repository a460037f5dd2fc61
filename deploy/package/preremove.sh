#!/bin/sh
# Takes hatchdog out of the engines' configuration, unless this is an upgrade.
set -e
case ${1:-} in
remove | 0) ;; # dpkg's word, rpm's number
*) exit 0 ;;
esac

# An engine calls hatchdog to stop and to delete what it created.
needed=$(hatchctl list --needed) || {
	echo "hatchdog: it cannot be told what runs under it, so nothing was removed; see: hatchctl list" >&2
	exit 1
}
if [ -n "$needed" ]; then
	echo "hatchdog: these containers run under it and could not be stopped without it; stop them first:" >&2
	echo "$needed" >&2
	exit 1
fi
for engine in docker containerd; do
	hatchctl uninstall $engine --binary /usr/bin/hatchdog || {
		echo "hatchdog: $engine's configuration could not be restored, and it would call a program that is gone" >&2
		exit 1
	}
done
if [ -e /etc/apparmor.d/hatchctl ]; then
	apparmor_parser -R /etc/apparmor.d/hatchctl >/dev/null 2>&1 || true # nothing is loaded where AppArmor is off
	rm -f /etc/apparmor.d/hatchctl
fi
hatchctl apparmor unload >/dev/null 2>&1 || true # where there is AppArmor, and nothing runs under them
hatchctl guard unload >/dev/null 2>&1 || true # where it is loaded, and holds nothing
command -v systemctl >/dev/null 2>&1 || exit 0
for unit in /usr/lib/systemd/system/hatchdog-*.service; do
	[ -e "$unit" ] || continue
	systemctl disable "${unit##*/}" || true
	[ ! -d /run/systemd/system ] || systemctl stop "${unit##*/}" || true
done
