# lib.sh - for benches: sourced, never run.  $BUILD is absolute.
# shellcheck shell=bash
set -u
BENCH_TMP=$(mktemp -d "${TMPDIR:-/tmp}/weft-bench.XXXXXX")
trap 'rm -rf "$BENCH_TMP"' EXIT
trap 'exit 130' INT TERM
export WEFT_CONF=/dev/null
BENCH_BAD=0

# bench NAME RUNS MAX_SECONDS MAX_MIB COMMAND...: least time and largest size.
bench() {
	local name=$1 runs=$2 seconds=$3 mib=$4 got
	shift 4
	if ! got=$("$BUILD/tests/measure" "$runs" "$@"); then
		echo "$name: the command failed: $*"
		BENCH_BAD=1
		return
	fi
	awk -v name="$name" -v got="$got" -v ms="$seconds" -v mm="$mib" 'BEGIN {
		split(got, v)
		over = v[1] > ms || v[3] > mm
		printf "%-44s %7.3f s of %g s (%.3f s CPU)   %5d MiB of %d MiB%s\n", name, v[1], ms, v[2], v[3], mm,
			over ? "   OVER" : ""
		exit over
	}' || BENCH_BAD=1
}

bench_done() {
	exit "$BENCH_BAD"
}
