#!/bin/sh
# Looks for words that docs/style.md keeps out of what people read, and for
# sentences that begin with their object. A finding fails.
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

# Pages, without their tables, headings and code, and comments of the programs.
turned='(What|Whoever|Whatever|Of|Nor|So (is|are|does|do|has|can|was|were)|Neither (are|does|do)|Only (then|there|here|where|when|if|with|after|in|by|at|from)|Not (till|until|before|held|run|tried|trusted|seen)|Who (is|has|may|can|does|asks|writes|calls|wants))'
sentence='(^|[.;:] +|\*\* ?|^ *[-*] +|^[0-9]+\. +)'
ended='(Seen|Told|Gone|Kept) (is|are|was|were)' # on pages alone: the words are names of the programs
for page in $(git ls-files '*.md' | grep -v '^docs/style\.md$'); do
	awk '/^ *```/ { code = !code; print ""; next } code || /^\||^#|^    / { print ""; next } { print }' "$page" |
		grep -nE "$sentence($turned|$ended) " | sed "s#^#$page:#; s#\$#  (begin with the subject)#" | grep . && found=1
done
git ls-files 'cmd/*.go' 'internal/*.go' 'shim/*.go' 'profiles/*.go' 'docs/*.go' | grep -v '_test\.go$' |
	xargs grep -nE "^[[:space:]]*//( |.*[.;:] )$(printf '%s' "$turned" | sed 's/|Of|/|Of (two|several|the)|/') " |
	sed 's#$#  (begin with the subject)#' | grep . && found=1
exit $found
