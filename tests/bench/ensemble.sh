# ensemble.sh - sweeps of very many members: what planning and holding them takes, and how
# soon it is known, after a kill in the middle, which are left.
. "$(dirname "$0")/lib.sh"
cd "$BENCH_TMP" || exit 2
unset WEFT_RUNS SLURM_JOB_ID

sweep() { # sweep NAME MEMBERS
	cat >"$1.yaml" <<E
name: $1
params: {x: {range: [1, $(($2 / 1000))]}, y: {range: [1, 1000]}}
steps:
  - {name: sim, sweep: [x, y], command: [/bin/true], resources: {time: 1m}, outputs: {o: {path: o, optional: true}}}
  - {name: post, sweep: [x, y], run: "true", inputs: [{from: sim.o, as: o, optional: true}], resources: {time: 1m}}
  - {name: all, depends: [sim.*], run: "true", resources: {time: 1m}}
E
}
cat >cluster.yaml <<'E'
max_array_size: 100001
partitions:
  - {name: cpu, nodes: "c[001-100]"}
nodes:
  - {nodes: "c[001-100]", state: idle, cpus: 64, cores: 64, mem: 256G}
E

# begin NAME: a run of it that is killed, engine and all, when the first member is done.
begin() {
	"$BUILD/weft" run --local -q "$1.yaml" >"$1.log" 2>&1 &
	local p=$! e end=$(($(date +%s) + 60))
	until grep -qs '"state":"done"' "weft-runs/$1/1/records/local.jsonl"; do
		[ "$(date +%s)" -lt $end ] || break
		sleep 0.05
	done
	e=$(pgrep -P $p)
	awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$e/status" >"$1.mib"
	kill -9 "$e" $p
	wait $p 2>/dev/null
}
# at_most NAME FIGURE LIMIT UNIT
at_most() {
	if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && a <= b)}'; then
		printf '%-44s %7s of %s %s\n' "$1" "$2" "$3" "$4"
	else
		printf '%-44s %7s of %s %s   OVER\n' "$1" "$2" "$3" "$4"
		BENCH_BAD=1
	fi
}

sweep million 1000000
bench "2 x 1,000,000 members: check" 3 5 300 "$BUILD/weft" check million.yaml
bench "2 x 1,000,000 members: plan" 3 5 300 "$BUILD/weft" plan --cluster cluster.yaml million.yaml
begin million
at_most "2 x 1,000,000 members: the engine that runs them" "$(cat million.mib)" 300 MiB

# 100,000 and 1,000,000 members, half of them done when it was killed, the writer in the
# middle of a line.
for n in 100000 1000000; do
	sweep "kill$n" $n
	[ $n = 100000 ] && limit=5 || limit=30
	begin kill$n
	"$BUILD/tests/records" fill weft-runs/kill$n/1 $((n / 2)) || BENCH_BAD=1
	read -r left seconds < <("$BUILD/tests/records" left weft-runs/kill$n/1)
	at_most "of 2 x $n members, $left left: known" "$seconds" $limit "s"
	[ $n != 100000 ] ||
		bench "of 2 x $n members: status" 3 10 300 sh -c '"$0" status "$1" || [ $? -eq 1 ]' "$BUILD/weft" weft-runs/kill$n/1
done
bench_done
