#!/bin/sh
# Runs tests in the virtual machine, without what make does first.
#
# usage: run.sh [REGEXP [TIER]]
#
# Without arguments: the whole lane. integration/setup/setup.sh must have run.
set -eu
cd "$(dirname "$0")/../.."
. integration/setup/versions.mk
export RUNC_VERSION CONTAINERD_VERSION
export HATCHDOG_CACHE="${HATCHDOG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hatchdog}"
exec go run ./integration/vm -run "${1:-}" -tier "${2:-}"
