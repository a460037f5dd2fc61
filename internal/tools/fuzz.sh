#!/bin/sh
# Runs every fuzz test of the project for the given time each.
#
# usage: fuzz.sh DURATION
set -eu

grep -rl --include='*_test.go' '^func Fuzz' internal cmd | xargs -r -n1 dirname | sort -u | while read -r dir; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$dir"/*_test.go | while read -r name; do
		echo "== $dir $name"
		go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$1" -fuzzminimizetime 10x </dev/null
	done
done
