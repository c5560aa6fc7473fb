#!/bin/bash
# A run on this machine that is told to end while a member's data moves: the copy ends at
# once, and nothing of it is left.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

shim=$BUILD/tests/faulty.so
[ "$VARIANT" = san ] && {
	t_skip "a run that is cancelled while it stages" "the shim and the sanitizers exclude each other"
	t_done
}
cd "$T_TMP" || exit 2
n=0
export HOME=$T_TMP
t_second_fs "a run that is cancelled while it stages"
mkdir "$NODE/scratch"
unset WEFT_RUNS SLURM_JOB_ID
export WEFT_CONF=$T_TMP/weft.conf
conf() {
	printf '%s\n' "scratch = $NODE/scratch" "memory = $NODE/scratch" "$@" >weft.conf
}
mkdir slow && for i in $(seq 3000); do echo "$i" >"slow/$i"; done
for how in in copy out; do
	case $how in
	in) steps="[{name: a, inputs: [{from: ./slow, as: i, to: node}], run: 'touch $T_TMP/ran'}]" ;;
	copy) steps="[{name: a, inputs: [{from: ./slow, as: i, mode: copy}], run: 'touch $T_TMP/ran'}]" ;;
	out) steps="[{name: a, scratch: node, run: 'echo x >x; cp -r $T_TMP/slow .', outputs: {x: x, o: slow}}]" ;;
	esac
	printf 'name: %s\nsteps: %s\n' "$how" "$steps" >$how.yaml
done
begun() { [ -e begun ]; }
# Its engine, a child of it, may take longer: with the record all is over.
ended() { ! kill -0 "$engine" 2>/dev/null && [ -e "$record" ]; }
# NAME SIGNAL NUMBER: told once a copy has begun to read, which would take it minutes
cancelled() {
	record=weft-runs/$1/$3/steps/a/done.json
	rm -f begun ran
	FAULTY='slow:100 before:slow/' FAULTY_HOOK="unset LD_PRELOAD; touch $T_TMP/begun" \
		LD_PRELOAD=$shim "$WEFT" run --local -q "$1.yaml" >"$1.out" 2>&1 &
	engine=$!
	t_until 60 begun || t_fail "a copy begins ($1)" "$(cat "$1.out")"
	kill "-$2" "$engine"
	t_until 60 ended || t_fail "the run ends ($1)" "$(cat "$1.out")"
	wait "$engine" 2>/dev/null
	status=$?
	t_is "$1: cancelled, and says so" "$((status - 128)) $(python3 -c 'import json,sys
r = json.load(open(sys.argv[1])); print(r["state"], r["reason"], sep=": ")' "$record")" \
		"$(kill -l "$2") cancelled: cancelled while it staged"
}
node() { find "$NODE/scratch" -type f ! -path '*/cache/f/*' ! -name lock; }
for cache in yes no; do
	conf "node_cache = $cache"
	for sig in TERM HUP; do
		cancelled in $sig "$((n += 1))"
		t_is "its program has not begun" "$(find . -name ran)" ""
		t_is "and nothing is on the node, with node_cache = $cache" "$(node)" ""
	done
done
cancelled copy TERM 1
t_is "nor of a copy for itself" "$(find weft-runs/copy -name 'slow*')" ""
cancelled out TERM 1
t_is "nor of an output" "$(find weft-runs/out/1/steps/a -name 'slow*' -o -name parts -o -name x) $(node)" " "
t_run 0 "and all can go on" "$WEFT" resume -q out
t_is "to its end" "$(find weft-runs/out/1/steps/a/out -type f | wc -l)" 3001
t_done
