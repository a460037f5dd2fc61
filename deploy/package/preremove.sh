#!/bin/sh
# Takes hatchdog out of the engines' configuration, unless this is an upgrade.
set -e
case ${1:-} in
upgrade | 1) exit 0 ;; # dpkg's word, rpm's number
esac
for engine in docker containerd; do
	hatchctl uninstall $engine --binary /usr/bin/hatchdog || echo "hatchdog: $engine's configuration could not be restored" >&2
done
