#!/bin/bash
# A loop whose steps run in different partitions: each round has jobs of its own, and goes on
# by itself whatever of them dies, with nobody watching.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

t_need_hosts "rounds in jobs of their own"
DIR=/var/tmp/weft-roundtest.$$
devcluster() { "$TOP/contrib/devcluster/devcluster" "$@" --dir "$DIR"; }
as() {
	user=$1
	shift
	"$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --user "$user" -- "$@"
}
trap 'devcluster down >/dev/null 2>&1; rm -rf "$T_TMP"' EXIT
"$TOP/contrib/devcluster/devcluster" up --dir "$DIR" --build "$BUILD" -q >"$T_TMP/up.log" 2>&1
case $? in
0) ;;
2)
	t_skip "rounds in jobs of their own" "$(head -n 1 "$T_TMP/up.log")"
	t_done
	;;
*)
	t_fail "the cluster comes up" "$(cat "$T_TMP/up.log")"
	t_done
	;;
esac

home=$DIR/home/alice
cat >"$home/r.yaml" <<'E2'
name: r
vars: {max: 3}
loop: {steps: [sim, train], max: "${{ vars.max }}"}
steps:
  - name: sim
    sweep: {x: [1, 2]}
    resources: {partition: cpu, time: 1m, mem: 50M}
    inputs: [{from: train.m, as: m, round: prev, first: ./first}]
    run: |
      echo sim ${{ params.x }} ${{ loop.index }} >>${{ workflow.dir }}/log
      while [ -e ${{ workflow.dir }}/hold-sim-${{ loop.index }} ]; do sleep 0.1; done
      cat $WEFT_INPUT_M >${{ outputs.o }}
    outputs: {o: o.txt}
  - name: train
    resources: {partition: gpu, gpus: 1, time: 1m, mem: 50M}
    inputs: [{from: sim.o, as: all}]
    run: |
      echo train ${{ loop.index }} >>${{ workflow.dir }}/log
      while [ -e ${{ workflow.dir }}/hold-train-${{ loop.index }} ]; do sleep 0.1; done
      cat $WEFT_INPUT_ALL/*/* >${{ outputs.m }}
    outputs: {m: m.txt}
  - name: after
    inputs: [{from: train.m, as: m}]
    resources: {partition: cpu, time: 1m, mem: 50M}
    run: echo after $(wc -l <${{ inputs.m }}) >>${{ workflow.dir }}/log
E2
echo first >"$home/first"
chown --reference="$home" "$home/r.yaml" "$home/first"
number=0
run=
over() { as alice weft status --json "$run" 2>/dev/null | grep -q '"finished": true'; }
gone() { [ -z "$(as alice squeue -h)" ]; }
logged() { grep -qx "$1" "$home/log" 2>/dev/null; }
begin() { # begin LINE HOLD [OPTION...]: a run, up to the moment that the line is in the log
	line=$1 hold=$2
	shift 2
	number=$((number + 1))
	rm -f "$home/log" "$home"/hold-*
	touch "$home/$hold"
	run=$(as alice weft submit -q "$@" r.yaml)
	t_until 40 logged "$line" || t_fail "the run gets to: $line" "$(as alice weft status "$run")"
}
release() { rm -f "$home"/hold-*; }
log() { sort "$home/log" | uniq -c | awk '{$1 = $1; printf "%s%s", s, $0; s = ", "}'; }
all="1 after 8, 1 sim 1 0, 1 sim 1 1, 1 sim 1 2, 1 sim 2 0, 1 sim 2 1, 1 sim 2 2, 1 train 0, 1 train 1, 1 train 2"
job() { as alice squeue -h -n "r.$1" -o %i | head -n 1; }

t_has "a plan has a job for each partition" "$(as alice weft plan r.yaml)" "3 steps in 3 submissions"

# ---- nothing happens to it
begin "sim 1 1" hold-sim-1
t_until 10 test -n "$(job after)"
shown=$(as alice weft status "$run")
t_has "status shows the rounds" "$shown" "round 0: sim done 2/2; train done 1/1"
t_has "and what waits for what" "$shown" "waits for sim"
t_has "and who goes on, should they die" "$shown" "should its jobs die: job $(job loop)"
release
t_until 60 over || t_fail "it ends" "$(as alice weft status "$run")"
t_is "each round ran once, and then what follows" "$(log)" "$all"
t_until 20 gone
t_is "nothing stays queued" "$(as alice squeue -h)" ""
t_is "one job watched over all rounds" "$(find "$run/jobs" -name 'loop-*' | wc -l)" 1

# ---- the engine of a job of a round is killed
begin "sim 2 1" hold-sim-1
pid=$(pgrep -f "weft engine --group=0 --round=1 $run" | head -n 1)
kill -9 "$pid"
release
t_until 90 over || t_fail "a killed engine: it ends" "$(as alice weft status "$run"; tail -n +1 "$run"/jobs/*)"
t_run 0 "a run whose engine was killed goes on by itself" as alice weft status "$run"
t_is "what was broken off has run again, and nothing else" "$(log)" \
	"$(echo "$all" | sed 's/1 sim 1 1/2 sim 1 1/; s/1 sim 2 1/2 sim 2 1/')"

# ---- the job that ends a round dies before it has submitted the next one
begin "train 1" hold-train-1
rm -rf "$run/claims/round-0.0"
touch "$run/claims/round-0.0"
release
t_until 90 over || t_fail "no next round: it ends" "$(as alice weft status "$run"; tail -n +1 "$run"/jobs/*)"
t_is "a round that wasn't submitted is, all the same" "$(log)" "$all"

# ---- a node goes down
begin "train 1" hold-train-1
release_on=$(as alice squeue -h -n r.train -t R -o %N)
devcluster kill-node "$release_on" >/dev/null
release
t_until 120 over || t_fail "a node down: it ends" "$(as alice weft status "$run"; tail -n +1 "$run"/jobs/*)"
t_is "a round whose node was lost goes on elsewhere" "$(log)" "${all/1 train 1/2 train 1}"
devcluster start-node "$release_on" >/dev/null

# ---- somebody cancels a job: that is a failure, and stays one
begin "sim 1 1" hold-sim-1
as alice scancel "$(job sim)"
release
t_until 60 over || t_fail "a cancelled job: it ends" "$(as alice weft status "$run")"
t_run 7 "a job that a user cancels ends the run" as alice weft status "$run"
t_is "no round follows" "$(grep -c ' 2$' "$home/log")" 0
t_until 20 gone
t_run 0 "but it can be resumed" as alice weft resume -q "$run"
t_has "to its end" "$(log)" "1 after 8"
begin "sim 1 1" hold-sim-1
as alice scancel "$(job train)"
pid=$(pgrep -f "weft engine --group=0 --round=1 $run" | head -n 1)
kill -9 "$pid"
release
t_until 60 over || t_fail "a waiting job cancelled: it ends" "$(as alice weft status "$run")"
t_has "also where it had not begun" "$(as alice weft status "$run")" "of the loop was cancelled"

# ---- all of it is gone
begin "sim 1 1" hold-sim-1
as alice scancel "$(job loop)"
pid=$(pgrep -f "weft engine --group=0 --round=1 $run" | head -n 1)
kill -9 "$pid"
release
t_until 60 gone
t_is "without the job that watches nothing is done in its place" "$(grep -c after "$home/log")" 0
t_run 0 "the run is resumed" as alice weft resume -q "$run"
t_has "to its end" "$(log)" "1 after 8"

begin "sim 1 1" hold-sim-1
release
t_run 0 "a run is cancelled in a round" as alice weft cancel "$run"
t_is "with all its jobs" "$(as alice squeue -h)" ""

# ---- what a round costs: jobs, and one message that moves the one that watches on
asked() { as root sdiag | awk '$1 == "alice" { sub("count:", "", $4); print $4 }' | head -n 1; }
cost() { # cost ROUNDS
	from=$(asked)
	run=$(as alice weft submit -q --set "vars.max=$1" r.yaml)
	gone() { [ -z "$(as root squeue -h)" ]; }
	t_until 120 gone
	echo $(($(asked) - from))
}
few=$(cost 2) more=$(cost 6)
each=$(((more - few) / 4))
if [ "$each" -le 6 ]; then
	t_ok "a round of two jobs costs slurmctld $each messages of its user"
else
	t_fail "a round of two jobs costs few messages" "$each: $few for 2 rounds, $more for 6"
fi
t_done
