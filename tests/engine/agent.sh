#!/bin/bash
# agent.sh - members of an allocation of two nodes, run by an agent on each: what they are
# given, what they print, how they end; and an agent that is killed, or cut off.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

# Slurm is to leave a node that is cut off to us.
t_cluster "agents" --cpu-nodes 0 --slurmd-timeout 600
home=$DIR/home/alice
export home
no_job() { [ -z "$(as alice squeue -h -n "$1.yaml" 2>&1)" ]; }
# start NAME < STEPS: in a job of two nodes with 8 CPUs, and GPUS=2, on each.
start() {
	{
		cat <<E
#!/usr/bin/env weft
#SBATCH --partition=gpu --nodes=2 --ntasks-per-node=8 ${GPUS:+--gpus-per-node=$GPUS} --mem=1G --time=10 --no-requeue
#SBATCH --output=$home/$1.out
name: $1
defaults: {resources: {time: 1m, mem: 10M}}
E
		cat
	} >"$home/$1.yaml"
	chown --reference="$home" "$home/$1.yaml"
	run=$home/weft-runs/$1/1
	as alice sbatch -Q "$1.yaml"
}
over() { # over NAME [STATUS]
	run=$home/weft-runs/$1/1
	t_until 150 no_job "$1" || t_fail "$1 ends" "$(as alice squeue; as alice weft status "$1")"
	t_run "${2-0}" "$1: its exit status" as alice weft status "$1"
}
go() { # as start(), to its end
	start "$1"
	over "$1"
}
# tally EXPR: of `begin` and `end` lines NODE GPUS MEMBER WHAT TIME, and records, in python
tally() {
	python3 - "$run" "$1" <<'E'
import collections, glob, json, sys
run, what = sys.argv[1:]
lines = sorted((l.split(",") for l in open(run + "/effects")), key=lambda l: float(l[4]))
records = [json.loads(l) for f in glob.glob(run + "/records/**/*.jsonl", recursive=True) for l in open(f)]
last = {r["index"]: r for r in sorted(records, key=lambda r: r["attempt"])}
def most(key):
    """As many at a time as there were of those with the same key."""
    n, top = collections.Counter(), 0
    for l in lines:
        for k in key(l):
            n[k] += {"begin": 1, "end": -1}[l[3]]
            top = max(top, n[k])
    return top
print(eval(what))
E
}
tell='tell() { printf "%s,%s,%s,%s,%s\n" "$(hostname)" "${CUDA_VISIBLE_DEVICES:-}" "$WEFT_MEMBER_INDEX" "$1" "$EPOCHREALTIME" >>"$WEFT_RUN_DIR/effects"; }'

# It takes its minute, the least that a job's limits can be.
start ends <<'E'
on_failure: continue
steps:
  - name: m
    sweep: {i: [1, 2, 3, 4, 5, 6]}
    run: |
      echo "$(hostname) out ${{ params.i }}"; echo "err ${{ params.i }}" >&2
      echo x >>"$WEFT_RUN_DIR/effects"
      case ${{ params.i }} in 6) sleep 77.6 & wait ;; 5) exit 3 ;; 4) kill -9 $$ ;; esac
E

# ---- what they are given ----------------------------------------------------------------
GPUS=2 go given <<E
steps:
  - name: m
    sweep: {i: {range: [1, 24]}}
    resources: {gpus: 1, cpus_per_task: 2}
    run: |
      $tell
      tell begin; sleep 0.3; tell end
E
t_is "each member has one GPU" "$(tally '{l[1] for l in lines} == {"0", "1"}')" True
t_is "that no other has at the time" "$(tally 'most(lambda l: [(l[0], l[1])])')" 1
t_is "both nodes are used, in full" "$(tally 'sorted({l[0] for l in lines}), most(lambda l: [0])')" "(['g1', 'g2'], 4)"
t_is "its record says where it was" "$(tally 'all(last[int(l[2])]["hosts"] == l[0] for l in lines)')" True
t_is "two agents, and no step of srun a member" \
	"$(find "$run/records" -path '*.agents/*' -name 'g[12].jsonl' | wc -l)" 2

# Two members a GPU, and none beside one that has a whole one.
GPUS=1 go halves <<E
steps:
  - name: m
    sweep: {i: {range: [1, 8]}}
    resources: {gpus_per_task: 0.5}
    run: |
      $tell
      tell begin; sleep 0.5; tell end
E
t_is "members of half a GPU: four at a time on two" "$(tally 'most(lambda l: [0])')" 4
t_is "two on each, and not three" "$(tally 'most(lambda l: [(l[0], l[1])])')" 2
t_is "each sees the one that it shares" "$(tally 'sorted({(l[0], l[1]) for l in lines})')" "[('g1', '0'), ('g2', '0')]"
GPUS=2 go parts <<E
steps:
  - name: whole
    sweep: {i: {range: [1, 6]}}
    resources: {gpus: 1}
    run: |
      $tell
      WEFT_MEMBER_INDEX=whole; tell begin; sleep 0.5; tell end
  - name: half
    sweep: {i: {range: [1, 12]}}
    resources: {gpus_per_task: 0.5}
    scratch: node
    run: |
      $tell
      tell begin; sleep 0.5; tell end
E
t_is "halves and wholes: each ran" "$(tally 'sorted(collections.Counter(l[2] == "whole" for l in lines if l[3] == "end").items())')" \
	"[(False, 12), (True, 6)]"
t_is "at the same time" "$(tally 'most(lambda l: [0]) > 4')" True
t_is "and none beside a whole one" \
	"$(tally 'most(lambda l: [(l[0], l[1])] * (2 if l[2] == "whole" else 1))')" 2

go unequal <<E
steps:
  - name: m
    sweep: {i: {range: [1, 9]}}
    resources: {cpus_per_task: "\${{ min(6, max(1, 24 - 6 * params.i)) }}"}
    run: |
      $tell
      tell begin
      # The first two have begun, the third has no room: the small ones go before it.
      for n in \$(seq 300); do
        [ \${{ params.i }} -gt 2 ] || [ \$(grep -c '^[^,]*,[^,]*,[3-8],end' "\$WEFT_RUN_DIR/effects") -ge 6 ] && break
        sleep 0.1
      done
      tell end
E
t_is "what needs less goes before what has no room" "$(tally '[l[2] for l in lines if l[3] == "end"][-3:].count("2")')" 1
t_is "and no node has more than its CPUs hold" \
	"$(tally 'most(lambda l: [l[0]] * (6 if int(l[2]) < 3 else 1)) <= 8')" True

go narrow <<E
steps:
  - name: m
    sweep: {i: {range: [1, 12]}}
    max_parallel: 3
    run: |
      $tell
      tell begin; sleep 0.1; tell end
E
t_is "max_parallel holds for all nodes together" "$(tally 'most(lambda l: [0])')" 3

# ---- what they print, how they end ------------------------------------------------------
over ends 1
id() { python3 -c '
import glob, json, sys
print(*[r["member"] for f in glob.glob(sys.argv[1] + "/records/**/*.jsonl", recursive=True) for r in map(json.loads, open(f)) if r["index"] == int(sys.argv[2]) - 1])' "$run" "$1"; }
reason() { as alice weft status --json "$run" | python3 -c 'import json,sys; print(json.load(sys.stdin)["steps"][0]["members"][int(sys.argv[1]) - 1]["reason"])' "$1"; }
t_is "what each prints is its own, of either node" \
	"$(for i in 1 2 3 4 5 6; do as alice weft logs --stdout "$run" "m.$(id $i)"; done | sed 's/^g[12] //')" "$(for i in 1 2 3 4 5 6; do echo out $i; done)"
t_has "its time limit ends it" "$(reason 6)" "ran into its time limit of 00:01:00"
t_has "an exit status is told" "$(reason 5)" "exited with status 3"
t_has "and a signal" "$(reason 4)" "killed by signal 9"
gone() { ! pgrep -f 'sleep 77\.6' >/dev/null; }
if t_until 10 gone; then t_ok "what a member leaves behind ends with it"; else t_fail "what a member leaves behind ends with it"; fi

# ---- a program that steers ----------------------------------------------------------------
cat >"$home/steer.py" <<'E'
import json, os
pending = [json.loads(l) for l in open(os.environ["WEFT_PENDING"])]
for m in pending:
    if 1 <= m["params"]["i"] <= 4 and m["state"] == "running":
        print(json.dumps({"cancel": m["member"]}))
    if m["params"]["i"] in (20, 21):
        print(json.dumps({"priority": [m["member"], 5]}))
E
go steered <<E
steps:
  - name: m
    sweep: {i: {range: [0, 21]}}
    max_parallel: 6
    steer: {max_members: 22, every: 1, run: "python3 \$WEFT_WORKFLOW_DIR/steer.py"}
    run: |
      $tell
      tell begin
      [ \${{ params.i }} -gt 4 ] || [ \${{ params.i }} = 0 ] || sleep 66
      [ \${{ params.i }} != 0 ] || until [ \$(grep -c begin "\$WEFT_RUN_DIR/effects") -ge 6 ]; do sleep 0.05; done
      sleep 0.3; tell end
E
t_is "what it cancels while it runs, on either node, is skipped" \
	"$(tally '[(last[i]["state"], last[i]["code"]) for i in (1, 2, 3, 4)]')" "[('skipped', 0), ('skipped', 0), ('skipped', 0), ('skipped', 0)]"
t_is "the others are done" "$(tally '{r["state"] for i, r in last.items() if not 1 <= i <= 4}')" "{'done'}"
t_is "and what it ranks first goes first" \
	"$(tally '[l[2] for l in lines if l[3] == "begin"].index("20") < 14')" True

# ---- a job that is cancelled --------------------------------------------------------------
start cancelled <<E
steps:
  - name: m
    sweep: {i: {range: [1, 40]}}
    run: |
      $tell
      tell begin
      [ \${{ params.i }} -lt 5 ] || sleep 66.6
E
many() { [ -e "$run/effects" ] && [ "$(grep -c begin "$run/effects")" -ge 20 ]; }
t_until 60 many || t_fail "members begin" "$(as alice weft status cancelled)"
as alice scancel -n cancelled.yaml
over cancelled 7
t_is "what ran in a job that is cancelled has an end, by its records" \
	"$(as alice weft status --offline --json cancelled | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["finished"], sorted({m["state"] for m in d["steps"][0]["members"]}))')" "True ['cancelled', 'done', 'not run']"

# ---- an agent that is killed --------------------------------------------------------------
beats="$tell
      tell begin
      for n in \$(seq 600); do
        sleep 0.1; tell beat
        [ \$n -lt 6 ] || [ -e $home/slow ] || break
      done
      tell end"
some() { [ -e "$run/effects" ] && [ "$(grep -c end "$run/effects")" -ge 30 ]; }
agent_of() { # agent_of NODE: its process
	for p in $(pgrep -f "weft agent .*$run\$"); do
		cat "/proc/$p/environ" 2>/dev/null | tr "\0" "\n" | grep -qx "SLURMD_NODENAME=$1" && echo "$p" && break
	done
}
# Of members that ran twice: had the first stopped before the second began?
apart='all(max(float(l[4]) for l in lines if l[2] == m and l[0] != n) < min(float(l[4]) for l in lines if l[2] == m and l[0] == n) for m in {l[2] for l in lines} for n in [[l[0] for l in lines if l[2] == m and l[3] == "end"][-1]] if len({l[0] for l in lines if l[2] == m}) > 1)'
start killed <<E
steps:
  - name: m
    sweep: {i: {range: [1, 100]}}
    run: |
      $beats
E
t_until 60 some || t_fail "members end" "$(as alice weft status killed)"
agent=$(agent_of g2)
kill -9 "$agent"
over killed
t_is "each member is done, and recorded once" "$(tally 'len(last), {r["state"] for r in last.values()}, len(records)')" "(100, {'done'}, 100)"
t_is "those that run again are those that it ran" "$(tally 'max(collections.Counter(l[2] for l in lines if l[3] == "begin").values()) <= 2 and sum(n > 1 for n in collections.Counter(l[2] for l in lines if l[3] == "end").values()) <= 8')" True
t_is "and ran again when they had ended" "$(tally "$apart")" True

start cut <<E
steps:
  - name: m
    sweep: {i: {range: [1, 100]}}
    run: |
      $beats
E
t_until 60 some || t_fail "members end" "$(as alice weft status cut)"
engine=$(as alice scontrol show job "$(as alice squeue -h -o %i)" | sed -n 's/ *BatchHost=//p')
other=g1
[ "$engine" != g1 ] || other=g2
touch "$home/slow"
slow() { [ "$(tally "sum(1 for m in {l[2] for l in lines} for k in [[l for l in lines if l[2] == m]] if k[0][0] == '$other' and sum(l[3] == 'beat' for l in k) > 8)")" -ge 4 ]; }
t_until 30 slow || t_fail "long ones run" "$(tail "$run/effects")"
devcluster link "$other" down >/dev/null
rm "$home/slow"
quiet() { [ -z "$(agent_of "$other")" ]; }
if t_until 40 quiet; then t_ok "an agent that is cut off ends, with its members"; else t_fail "an agent that is cut off ends, with its members"; fi
done_by() { as alice weft status --offline "$run" >/dev/null 2>&1 && as alice weft status --offline --json "$run" | grep -q '"finished": true'; }
if t_until 150 done_by; then t_ok "a run goes on when a node is cut off"; else t_fail "a run goes on when a node is cut off" "$(as alice squeue; as alice weft status cut)"; fi
devcluster link "$other" up >/dev/null
t_is "each member is done" "$(tally 'len(last), {r["state"] for r in last.values()}')" "(100, {'done'})"
t_is "none began again before the first had ended" "$(tally "$apart")" True
over cut
left() { pgrep -f "$home/weft-runs"; }
t_is "no process is left" "$(left | xargs -r ps -o args -p)" ""
t_done
