#!/bin/sh
# Looks for words that docs/style.md keeps out of what people read. A finding fails.
#
# usage: words.sh
set -u

cd "$(dirname "$0")/../.." || exit 1
found=0
tab=$(printf '\t')
while IFS=$tab read -r word instead; do
	lines=$(git ls-files '*.md' '*.go' '*.yaml' '*.sh' Makefile | grep -vE 'testdata/|^docs/style\.md$|^profiles/compiled/' | xargs grep -nwiE -- "$word")
	[ -z "$lines" ] && continue
	printf '%s\n' "$lines" | sed "s#\$#  ($word: $instead)#"
	found=1
done <internal/tools/words.txt
exit $found
