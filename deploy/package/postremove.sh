#!/bin/sh
# On purge nothing is left.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
[ "${1:-}" = purge ] || exit 0
rm -rf /etc/hatchdog /var/lib/hatchdog /var/log/hatchdog /run/hatchdog
