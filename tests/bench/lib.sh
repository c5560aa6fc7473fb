# lib.sh - for benches: sourced, never run.  $BUILD is absolute.
# shellcheck shell=bash
set -u
BENCH_TMP=$(mktemp -d "${TMPDIR:-/tmp}/weft-bench.XXXXXX")
trap 'bench_end' EXIT
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

# A virtual machine may tell its host which memory is free, and whoever touches that next
# waits for the host, page by page: three times the time of a copy.  Not while a bench
# runs, where root may say so: then all that is free is touched once, and stays.
REPORTING=/sys/module/page_reporting/parameters/page_reporting_order
BENCH_REPORTING=
bench_keep_memory() { # FOLDER in memory
	[ -w "$REPORTING" ] || return 0
	BENCH_REPORTING=$(cat "$REPORTING")
	if echo 11 >"$REPORTING" 2>/dev/null; then
		bench_touch "$1" $(($(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) - 1024))
	else
		BENCH_REPORTING=
	fi
}
bench_touch() { # FOLDER MIB
	head -c "$2M" /dev/zero >"$1/warm" 2>/dev/null
	rm "$1/warm"
}
# Where it can't be kept: before each run.
bench_warm_memory() { # FOLDER MIB
	[ -n "$BENCH_REPORTING" ] || bench_touch "$@"
}
bench_end() {
	[ -z "$BENCH_REPORTING" ] || echo "$BENCH_REPORTING" >"$REPORTING"
	rm -rf "$BENCH_TMP"
}

bench_done() {
	exit "$BENCH_BAD"
}
