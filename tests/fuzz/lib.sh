# lib.sh - what the two ways to fuzz share: sourced, never run.  bash.
# shellcheck shell=bash

# fuzz_targets - prints "NAME RUNS GLOB..." of each target.
fuzz_targets() { grep -vE '^(#|$)' "$TOP/tests/fuzz/targets"; }

# fuzz_seeds NAME GLOB... - prints the target's own seeds, separated by commas.
fuzz_seeds() {
	local name=$1 f all=()
	shift
	# shellcheck disable=SC2068 # they are patterns
	for f in "$TOP/tests/fuzz/corpus/$name"/* ${@/#/$TOP/}; do
		[ ! -f "$f" ] || all+=("$f")
	done
	local IFS=,
	echo "${all[*]}"
}
