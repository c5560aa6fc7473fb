#!/bin/bash
# Workflows on a real Slurm: groups, arrays, dependencies, staging on nodes, failures,
# kills, and the file as a batch script; as two ordinary users.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

t_cluster "workflows on Slurm" --boot "$TOP/contrib/devcluster/borrowed-topology"

home=$DIR/home/alice
put() { # put NAME < text
	cat >"$home/$1"
	chown --reference="$home" "$home/$1"
}
runs=$home/weft-runs
# The latest run's file: at NAME PATH
at() { cat "$runs/$1/$(find "$runs/$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)/$2"; }
rpcs() { # rpcs NAME: how many of them slurmctld has had
	as root sdiag | sed -n "s/^[[:space:]]*$1 .*count:\([0-9]*\).*/\1/p" | head -n 1 | grep . || echo 0
}

# ---- two sweeps that correspond, a fan-in over two nodes, node storage -------------
put flow.yaml <<'E'
name: flow
on_failure: continue
params: {i: [1, 2, 3, 4]}
defaults: {resources: {time: 2m, mem: 100M}}
steps:
  - name: a
    sweep: [i]
    run: |
      case $PWD in /scratch/*) ;; *) exit 9 ;; esac
      test ${{ params.i }} != 2; hostname > o.txt; echo ${{ params.i }} >> o.txt
    outputs: {o: o.txt}
    scratch: node
  - name: b
    sweep: [i]
    inputs: [{from: a.o, as: o, to: memory}]
    run: |
      case ${{ inputs.o }} in /dev/shm/*) ;; *) exit 9 ;; esac
      sed 1d ${{ inputs.o }} > p.txt
    outputs: {p: p.txt}
    scratch: memory
  - name: multi
    inputs: [{from: b.p, as: ps, to: node, optional: true}]
    depends: [{step: b, state: ended}]
    launch: srun
    scratch: node
    resources: {nodes: 2, ntasks: 2, time: 2m, mem: 100M}
    run: cat ${{ inputs.ps }}/*/p.txt | sort > out-$(hostname).txt
    outputs: {all: out-*.txt}
E
submits=$(rpcs REQUEST_SUBMIT_BATCH_JOB)
t_run 1 "a run with a member that fails" as alice weft run flow.yaml
t_is "one sbatch a group: b goes with a, member by member" "$(($(rpcs REQUEST_SUBMIT_BATCH_JOB) - submits))" 2
t_has "its counterpart did not run" "$T_OUT" "not run b member 1"
t_has "the others did, and what asked for their end" "$T_OUT" "multi  done         1/1"
t_is "outputs of both nodes are joined" \
	"$(cd "$runs/flow/1/steps/multi/out/all" && echo *)" "out-c1.txt out-c2.txt"
t_is "with what was staged to each node" "$(tr '\n' ' ' <"$runs/flow/1/steps/multi/out/all/out-c2.txt")" "1 3 4 "
t_is "the sweep used both nodes" "$(cat "$runs"/flow/1/steps/a/*/out/o.txt | grep -c 'c[12]')" 3
left=$(for n in c1 c2; do "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --node $n -- \
	find /scratch /dev/shm -type f ! -path '/scratch/weft-*/cache/*'; done 2>&1)
t_is "nothing is left on the nodes but the cache" "$left" ""
t_is "nothing stays queued" "$(as alice squeue -h)" ""
t_has "status --json is JSON" "$(as alice weft status --json flow | python3 -c 'import json,sys; print(json.load(sys.stdin)["finished"])')" "True"

# ---- what was made on a node is read there --------------------------------------------
put near.yaml <<'E'
name: near
params: {i: [1, 2, 3, 4]}
defaults: {resources: {time: 2m, mem: 50M, cpus_per_task: 8}}
steps:
  - name: a
    sweep: [i]
    scratch: node
    # The last one to begin ends first.
    run: hostname > o.txt; sleep 0.$((9 - 2 * WEFT_PARAM_I))
    outputs: {o: o.txt}
  - name: b
    sweep: [i]
    inputs: [{from: a.o, as: o, to: node}]
    run: echo "$(hostname) $(cat "$WEFT_INPUT_O")" > p.txt
    outputs: {p: p.txt}
E
t_run 0 "a sweep that reads what another made" as alice weft run near.yaml
t_is "runs where it was made" "$(cat "$runs"/near/1/steps/b/*/out/p.txt | awk '{ n += $1 == $2; c[$1] } END { print n, length(c) }')" "4 2"
t_has "and nothing is moved to it: what is staged are its results" "$(as alice weft status near | grep '^b ' | tr -s ' ')" " 24"

# ---- cancelled while data is on its way ------------------------------------------------
mkdir "$home/data" && for i in 1 2 3; do head -c 200000000 /dev/zero >"$home/data/f$i"; done
chown -R --reference="$home" "$home/data"
put big.yaml <<'E'
name: big
steps:
  - name: a
    inputs: [{from: ./data, as: d, to: node}]
    launch: srun
    run: "true"
    resources: {nodes: 2, ntasks: 2, time: 2m, mem: 100M}
E
on_nodes() { for n in c1 c2; do "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --node $n -- sh -c "$1"; done 2>&1; }
brings() { [ -n "$(on_nodes 'find /scratch -name "f[123]"')" ]; }
gone() { [ -z "$(as alice squeue -h)" ]; }
as alice weft run big.yaml >/dev/null 2>&1 &
t_until 30 brings || t_fail "data is on its way" "$(on_nodes 'find /scratch')"
as alice sh -c 'squeue -h -o %i | xargs scancel'
wait $!
t_until 30 gone || t_fail "the job is gone" "$(as alice squeue)"
t_has "a member that is cancelled while it stages is cancelled" "$(as alice weft status big | grep '^a ')" cancelled
t_is "cancelled while it stages: no file is left" "$(on_nodes 'find /scratch /dev/shm -type f ! -path "*/cache/[efus]/*" ! -name lock')" ""
t_is "no process" "$(on_nodes 'ps -eo args | grep "[w]eft member"')" ""
t_is "and nothing mounted" "$(on_nodes 'grep -c " /scratch/." /proc/mounts')" "0
0"
rm -rf "$home/data"

# ---- many members in few jobs, a chain in one -----------------------------------------
put many.yaml <<'E'
name: many
on_failure: continue
defaults: {resources: {time: 1m, mem: 50M}}
steps:
  - name: m
    sweep: {i: {range: [1, 60]}}
    max_parallel: 12
    max_failed: 2
    outputs: {o: o.txt}
    run: |
      test ${{ params.i }} != 7
      echo ${{ params.i }} $SLURM_JOB_ID >o.txt
  - name: ranks
    launch: srun
    resources: {ntasks: 2}
    depends: [{step: m, state: done}]
    inputs: [{from: m.o, as: o}]
    run: echo $SLURM_PROCID $SLURM_JOB_ID >>"$WEFT_STEP_DIR/ids"
  - name: after
    resources: {ntasks: 2}
    depends: [ranks]
    run: echo after $SLURM_JOB_ID >>"$WEFT_STEP_DIR/ids"
  - name: hang
    resources: {ntasks: 2, time: 1m}
    depends: [after]
    run: sleep 300
E
submits=$(rpcs REQUEST_SUBMIT_BATCH_JOB)
steps=$(rpcs REQUEST_JOB_STEP_CREATE)
t_run 0 "many members are submitted" as alice weft submit --set steps.hang.run=true many.yaml
t_run 0 "and run to their end" t_until 60 as alice sh -c 'weft status --offline many | grep -q "^hang.*done"'
t_is "60 members and a chain are two submissions" "$(($(rpcs REQUEST_SUBMIT_BATCH_JOB) - submits))" 2
t_is "every member has run once" \
	"$(cat "$runs"/many/1/steps/m/*/out/o.txt | cut -d' ' -f1 | sort -n | tr '\n' ' ')" \
	"$(seq 60 | grep -vx 7 | tr '\n' ' ')"
t_is "five in each of twelve jobs" \
	"$(cat "$runs"/many/1/steps/m/*/out/o.txt | cut -d' ' -f2 | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' \n' ' ')" " 1 4 11 5 "
t_is "the chain ran in one job, srun's tasks and what came after" \
	"$(cat "$runs"/many/1/steps/{ranks,after}/ids | awk '{ print $NF }' | sort -u | wc -l)" 1
t_is "only what is more than a task took an srun of its own" \
	"$(($(rpcs REQUEST_JOB_STEP_CREATE) - steps))" 3
t_run 1 "a member's own time limit ends it inside a job of several" as alice weft run -q many.yaml
t_has "and its record says so" "$(as alice weft status many)" "ran into its time limit"
t_run 0 "--group=none: each by itself" as alice weft plan --group=none many.yaml
t_has "60 jobs and three" "$T_OUT" "63 jobs"

# ---- MPI and GPUs -----------------------------------------------------------------
put kinds.yaml <<'E'
name: kinds
defaults: {resources: {time: 2m, mem: 200M}}
steps:
  - name: gpu
    role: training
    launch: srun
    resources: {nodes: 2, gpus_per_node: 2, ntasks_per_node: 2, time: 2m, mem: 200M}
    run: echo "$(hostname) $SLURM_PROCID gpu=$CUDA_VISIBLE_DEVICES"
  - name: shared
    resources: {nodes: 2, ntasks: 6, gpus_per_task: 0.5}
    run: echo "$(hostname) $SLURM_PROCID gpu=$CUDA_VISIBLE_DEVICES"
  - name: half
    sweep: {i: [1, 2]}
    resources: {gpus_per_task: 0.5}
    run: |
      begun() { ls "$WEFT_RUN_DIR"/half.* | wc -l; }
      : >"$WEFT_RUN_DIR/half.$WEFT_MEMBER_INDEX"
      for n in $(seq 600); do [ $(begun) = 2 ] && break; sleep 0.1; done
      echo "$SLURM_JOB_ID $(hostname) gpu=$CUDA_VISIBLE_DEVICES"
      [ $(begun) = 2 ]
  - name: cpu
    run: echo "$(hostname) gpu=${CUDA_VISIBLE_DEVICES-none}"
  - name: single
    launch: single
    resources: {ntasks: 3, time: 2m, mem: 200M}
    run: |
      echo holding on $(hostname)
      $WEFT_LAUNCH sh -c 'echo task $SLURM_PROCID of $SLURM_NTASKS'
E
t_run 0 "GPU and CPU steps" as alice weft run kinds.yaml
t_is "four tasks on two GPU nodes" "$(grep -c '^g[12] [0-3] gpu=[01]$' "$runs/kinds/1/steps/gpu/stdout")" 4
t_is "each with a GPU of its own" "$(sed 's/ [0-3] / /' "$runs/kinds/1/steps/gpu/stdout" | sort -u | wc -l)" 4
t_is "six tasks of half a GPU: one or two on each of four" \
	"$(sed 's/ [0-5] / /' "$runs/kinds/1/steps/shared/stdout" | sort | uniq -c | awk '{ print $1 }' | sort -n | xargs)" "1 1 2 2"
t_is "two members of half a GPU: at the same time on one" \
	"$(cat "$runs"/kinds/1/steps/half/*/stdout | sort | uniq -c | grep -c '^ *2 [0-9]* g[12] gpu=[01]$')" 1
t_is "a step without GPUs stays off GPU nodes" "$(grep -c '^c[12] gpu=none' "$runs/kinds/1/steps/cpu/stdout")" 1
t_is "WEFT_LAUNCH starts tasks" "$(grep -c '^task [0-2] of 3' "$runs/kinds/1/steps/single/stdout")" 3
t_is "a node of each partition was asked once whether it sees the folder" \
	"$(rpcs REQUEST_RESOURCE_ALLOCATION)" 2

# Messages to slurmctld by whoever runs it: planning asks for configuration, partitions,
# nodes and perhaps jobs; a submission is one; a member's start is none.
put few.yaml <<'E'
name: few
defaults: {resources: {time: 1m, mem: 50M}}
steps:
  - {name: a, sweep: {i: {range: [1, 20]}}, run: "echo 1 > o", outputs: {o: o}}
  - {name: b, inputs: [{from: a.o, as: os}], run: "cat ${{ inputs.os }}/*/o | wc -l", resources: {gpus: 1}}
E
sent() { as root sdiag | awk '$1 == "alice" { sub("count:", "", $4); n = $4 } END { print n + 0 }'; }
before=$(sent) begin=$SECONDS
t_run 0 "a sweep and a GPU step" as alice weft run -q few.yaml
n=$(($(sent) - before)) most=$((6 + (SECONDS - begin) / 15))
t_is "all of it ran" "$(at few steps/b/stdout)" 20
if [ "$n" -le "$most" ]; then t_ok "costs slurmctld a handful of messages"; else
	t_fail "costs slurmctld a handful of messages" "$n, $most at most"
fi

# ---- refused before anything is submitted -------------------------------------------
put big.yaml <<'E'
name: big
steps:
  - {name: ok, run: "true"}
  - {name: a, run: "true", resources: {gpus_per_node: 16}}
E
submits=$(rpcs REQUEST_SUBMIT_BATCH_JOB)
t_run 4 "an impossible request is exit status 4" as alice weft run big.yaml
t_has "with file and line" "$T_OUT" "big.yaml:4:"
t_is "and nothing was submitted" "$(rpcs REQUEST_SUBMIT_BATCH_JOB)" "$submits"
put hidden.yaml <<'E'
name: hidden
steps: [{name: a, run: "true"}]
E
t_run 6 "a run directory that nodes don't see is exit status 6" as alice weft run --run-dir /tmp/runs hidden.yaml
t_has "and said" "$T_OUT" "isn't to be seen on node"
t_run 6 "what sbatch refuses is exit status 6" as alice weft run --set steps.a.reservation=nosuch hidden.yaml

# ---- a job with time left runs what its waiting fellows would --------------------------
put turns.yaml <<'E'
name: turns
params: {i: [1, 2, 3, 4]}
steps:
  - name: a
    sweep: [i]
    run: sleep 2; echo ${{ params.i }} >>$WEFT_RUN_DIR/effects
    resources: {gpus: 2, nodelist: g1, time: 1m, mem: 100M}
  - {name: b, depends: [a], run: "sort ${{ run.dir }}/effects", resources: {time: 1m, mem: 100M}}
E
t_run 0 "four members where there is room for one" as alice timeout 120 weft run -q turns.yaml
t_is "each ran once" "$(at turns steps/b/stdout | tr '\n' ' ')" "1 2 3 4 "
jobs_of() { cat "$runs/$1"/records/*/*.jsonl | grep -o '"job":"[^"]*"' | sort -u | wc -l; }
if [ "$(jobs_of turns/1)" -lt 4 ]; then t_ok "in fewer jobs, for one that ended took another's"; else
	t_fail "in fewer jobs, for one that ended took another's" "$(cat "$runs"/turns/1/records/*/*.jsonl)"
fi
t_is "and those it left are gone" "$(as alice squeue -h)" ""
t_run 1 "a member fails in each job" as alice timeout 120 weft run -q --set on_failure=continue \
	--set 'steps.a.run=sleep 2; exit 3' turns.yaml
t_is "and none takes another" "$(jobs_of turns/2)" 4

# ---- on_failure: cancel ends the rest of an array, and spares what deals with it ------
put modes.yaml <<'E'
name: modes
on_failure: cancel
params: {i: [0, 1, 2]}
defaults: {resources: {time: 5m, mem: 50M}}
steps:
  - name: s
    sweep: [i]
    run: |
      begun() { ls "$WEFT_RUN_DIR"/steps/s/*/begun "$WEFT_RUN_DIR"/steps/long/begun 2>/dev/null | wc -l; }
      if [ ${{ params.i }} = 1 ]; then
        for n in $(seq 600); do [ $(begun) = 3 ] && exit 3; sleep 0.1; done
      fi
      touch ../begun; exec sleep 300
  - {name: long, run: "touch ../begun; exec sleep 300"}
  - {name: pair, sweep: [i], depends: [s], run: "true"}
  - {name: rescue, depends: [{step: s, state: failed}], run: "true"}
  - {name: last, finally: true, run: "true"}
E
t_run 1 "on_failure: cancel" as alice timeout 120 weft run -q modes.yaml
t_is "ends what runs but for what deals with it" "$(as alice weft status --json modes |
	python3 -c 'import json,sys; print(*[s["state"] for s in json.load(sys.stdin)["steps"]], sep=", ")')" \
	"failed, cancelled, not run, done, done"
t_is "and leaves nothing queued" "$(as alice squeue -h)" ""

# ---- names that shells and Slurm would read ------------------------------------------
# shellcheck disable=SC2016 # that is the point
odd='a b'\''c"$(touch pwned)%j
x;touch pwned \é'
mkdir "$home/$odd"
cat >"$home/$odd/w f.yaml" <<'E'
name: odd
defaults: {resources: {time: 2m, mem: 50M}}
params: {k: [1, 2]}
steps:
  - {name: a, sweep: [k], run: "echo hello > o", scratch: node, outputs: {o: o}}
  - {name: b, inputs: [{from: a.o, as: os, to: node}], run: "cat ${{ inputs.os }}/*/o > all", outputs: {all: all}}
E
chown -R --reference="$home" "$home/$odd"
t_run 0 "a workflow in a folder of an odd name" as alice sh -c 'cd "$1" && exec weft run -q "w f.yaml"' - "$odd"
t_is "has what it should have" "$(cat "$home/$odd/weft-runs/odd/1/steps/b/out/all")" "hello
hello"
t_is "what its jobs said is where it belongs" "$(find "$home/$odd/weft-runs/odd/1/jobs" -name '*.out' -printf '.' | wc -c)" 3
t_is "no part of the name ever ran" "$(find "$home" -name pwned)" ""

# ---- cancel, kills, time limit ------------------------------------------------------
put slow.yaml <<E
name: slow
steps:
  - {name: a, run: "touch ../begun; exec sleep 4712.$$", resources: {time: 5m, mem: 100M}}
  - {name: b, depends: [a], run: "true", resources: {time: 5m, mem: 100M}}
E
# The engine and its member's process at once, for one that outlives the other writes a
# record: both stand still, then the member's (the newer) goes first.
kill_engine() {
	pkill -STOP -f "weft engine --group=0 $runs/slow/$1\$" || return
	pkill -9 -n -f "weft engine --group=0 $runs/slow/$1\$"
	pkill -9 -f "weft engine --group=0 $runs/slow/$1\$"
}
begun() { [ -e "$runs/slow/$1/steps/a/begun" ]; }
queue_empty() { [ -z "$(as alice squeue -h)" ]; }
no_sleep() { ! pgrep -f "sleep 4712\.$$\$" >/dev/null; }
as alice weft submit -q slow.yaml >/dev/null
t_until 20 begun 1
t_run 0 "weft cancel" as alice weft cancel slow
t_has "says that the jobs are gone" "$T_OUT" "all its jobs are gone"
t_is "and they are" "$(as alice squeue -h)" ""
if t_until 10 no_sleep; then t_ok "no process is left"; else t_fail "no process is left"; fi
t_run 7 "status of a cancelled run" as alice weft status slow
t_run 0 "cancelling it again" as alice weft cancel slow
t_has "changes nothing" "$T_OUT" "has ended already"
t_run 0 "and a run that is done" as alice weft cancel kinds
t_run 0 "stays done" as alice weft status kinds
as alice weft submit -q slow.yaml --set 'steps.a.slurm.begin=now+1hour' >/dev/null
t_run 0 "weft cancel of a run that has not begun" as alice weft cancel slow
t_run 7 "which is no success" as alice weft status slow

# weft is killed when sbatch has answered, before it has noted the job.
put sbatch <<'E'
#!/bin/sh
PATH=${PATH#*:} sbatch "$@" >/dev/null
kill -9 $PPID
E
chmod 755 "$home/sbatch"
as alice sh -c 'PATH=$PWD:$PATH weft submit -q slow.yaml' >/dev/null 2>&1
t_is "weft is killed between a submission and its note" \
	"$(cat "$runs"/slow/3/journal/*.jsonl | wc -l) $(as alice squeue -h | wc -l)" "0 1"
t_run 0 "weft cancel knows the job by its comment" as alice weft cancel slow
t_has "and says that it is gone" "$T_OUT" "all its jobs are gone"
t_is "and it is" "$(as alice squeue -h)" ""

as alice weft submit -q slow.yaml >/dev/null
t_until 20 begun 4
kill_engine 4
if t_until 40 queue_empty; then t_ok "an engine that is killed holds nothing up"; else
	t_fail "an engine that is killed holds nothing up" "$(as alice squeue)"
fi
t_run 1 "its run has failed" as alice weft status slow
case $T_OUT in
*"without a completion record"* | *"the engine that ran it died"*) t_ok "and why" ;;
*) t_fail "and why" "$T_OUT" ;;
esac
t_has "and that the next did not run" "$T_OUT" "not run b"
if t_until 10 no_sleep; then t_ok "its program died with it"; else t_fail "its program died with it"; fi

# Detached by Ctrl-C, the run goes on.
put short.yaml <<'E'
name: short
steps: [{name: a, run: "sleep 4", resources: {time: 2m, mem: 100M}}]
E
# A shell's background job ignores SIGINT; python passes it on as a terminal would.
as alice python3 -c '
import signal, subprocess, time
p = subprocess.Popen(["weft", "run", "short.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
time.sleep(2); p.send_signal(signal.SIGINT); e = p.communicate()[1]
print(p.returncode, e)' >"$T_TMP/detach"
t_has "Ctrl-C detaches with exit status 7" "$(head -c 1 "$T_TMP/detach")" 7
t_has "says how to come back" "$(cat "$T_TMP/detach")" "weft status --follow"
t_run 0 "and the run goes on to its end" as alice weft status --follow short

# Following asks Slurm for this user's jobs only where the journal is silent.
asked=$(rpcs REQUEST_JOB_USER_INFO) begin=$SECONDS
t_run 0 "a run that is followed for a while" as alice weft run --set 'steps.a.run=sleep 7' short.yaml
asked=$(($(rpcs REQUEST_JOB_USER_INFO) - asked))
most=$(((SECONDS - begin) / 15))
if [ "$asked" -le "$most" ]; then t_ok "asks once in 15 s at most"; else
	t_fail "asks once in 15 s at most" "$asked times, $most at most"
fi
as alice weft submit -q slow.yaml >/dev/null
t_until 20 begun 5
as alice weft status --follow slow >"$T_TMP/followed" &
follower=$!
kill_engine 5
wait "$follower"
t_is "a job that ends without a word is found out" "$?" 1
t_has "and said" "$(cat "$T_TMP/followed")" "without a completion record"
as alice weft submit -q slow.yaml --set 'steps.a.slurm.begin=now+1hour' >/dev/null
as alice weft status --follow slow >"$T_TMP/followed" &
follower=$!
as alice weft cancel slow >/dev/null
wait "$follower"
t_is "and so is one that is cancelled before it began" "$?" 7

# ---- the file is the batch script ---------------------------------------------------
put heat.yaml <<'E'
#!/usr/bin/env weft
#SBATCH --job-name=heat --nodes=2 --ntasks-per-node=4 --time=5 --mem=1G
#SBATCH --output=heat.out
name: heat
params: {i: [1, 2, 3, 4]}
defaults: {resources: {time: 2m, mem: 100M}}
steps:
  - name: a
    sweep: [i]
    run: hostname > o.txt
    outputs: {o: o.txt}
  - name: b
    inputs: [{from: a.o, as: o}]
    launch: srun
    resources: {nodes: 2, ntasks: 4}
    run: echo $SLURM_PROCID on $(hostname)
E
t_run 0 "sbatch FILE" as alice sbatch heat.yaml
if t_until 60 queue_empty; then t_ok "ends"; else t_fail "ends" "$(as alice squeue)"; fi
t_has "in one job" "$(cat "$home/heat.out")" "heat/1: done"
t_is "over its two nodes" "$(sort "$runs/heat/1/steps/b/stdout" | tr '\n' ' ')" \
	"0 on c1 1 on c1 2 on c2 3 on c2 "

# ---- a second user, under required, sees nothing of the first's ----------------------
"$TOP/contrib/devcluster/devcluster" up --dir "$DIR" --build "$BUILD" --required -q >/dev/null 2>&1
cp "$home/kinds.yaml" "$DIR/home/bob/kinds.yaml"
chown --reference="$DIR/home/bob" "$DIR/home/bob/kinds.yaml"
t_run 0 "another user, the plug-in required" as bob weft run kinds.yaml
t_run 2 "can't look at the first one's run" as bob weft status "$runs/kinds/1"
t_done
