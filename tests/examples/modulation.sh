#!/bin/bash
# The example of a steered search, small, on this machine: it finds what the full grid finds
# with fewer members, adds and cancels some on the way, and goes on after a kill.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname -- "$0")/../lib.sh"

example=$TOP/contrib/examples/modulation
solver=$BUILD/examples/augmentation/gray-scott
# The solver is a program of its own: one build of it serves all variants.
[ -x "$solver" ] || solver=$TOP/build/examples/augmentation/gray-scott
export HOME=$T_TMP WEFT_CONF=/dev/null OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$TOP/contrib/examples/augmentation
unset WEFT_RUNS SLURM_JOB_ID
cd "$T_TMP" || exit 2

python=$(t_python torch numpy)
if [ -z "$python" ] || [ ! -x "$solver" ]; then
	t_skip "modulation" "no Python with torch, or no MPI compiler"
	t_done
fi

# The target: a point of the grid, but other drops on a larger square.
"$solver" --feed 0.038 --kill 0.061 --seed 2 --size 64 --steps 1000 --out target >/dev/null
t_run 0 "a target is measured" "$python" "$example/measure.py" target
printf '%s\n' "$T_OUT" >target.json

grid=(0.020 0.056 0.0045 0.053 0.065 0.002)
range() { printf '{range: [%s, %s, %s]}' "$@"; }
small=(--set "vars.python=$python" --set "vars.solver=$solver" --set "vars.target=$T_TMP/target.json"
	--set vars.size=40 --set vars.steps=600 --set steps.simulate.steer.every=3
	--set "vars.feed=0.020,0.056,0.0045" --set "vars.kill=0.053,0.065,0.002")
coarse=(--set "params.feed=$(range 0.020 0.056 0.009)" --set "params.kill=$(range 0.053 0.065 0.004)" --set steps.simulate.max_parallel=1)
full=(--set "params.feed=$(range "${grid[@]:0:3}")" --set "params.kill=$(range "${grid[@]:3}")"
	--set steps.simulate.steer.run=true)
runs=$T_TMP/weft-runs/modulation
run() { timeout 300 "$WEFT" run --local -q "${small[@]}" "$@" "$example/modulation.yaml"; }
answer() { "$python" -c 'import json, sys; a = json.loads(open(sys.argv[1]).readline()); print(a["feed"], a["kill"])' \
	"$runs/$1/steps/answer/metrics.jsonl"; }
actions() { cat "$runs/$1"/actions/* | grep -c "\"action\": *\"$2\""; }

t_run 0 "the full grid" run "${full[@]}"
t_is "finds where the target was made" "$(answer 1)" "0.038 0.061"
t_run 0 "the steered search" run "${coarse[@]}"
t_run 0 "finds the same with at least 2 times fewer members" \
	"$python" "$example/compare.py" --bar 2 --only members "$runs/2" "$runs/1"
echo "$T_OUT"
t_is "at the same point" "$(answer 2)" "0.038 0.061"
t_is "members were added" "$([ "$(actions 2 add)" -ge 3 ] && echo yes)" yes
t_is "and cancelled" "$([ "$(actions 2 cancel)" -ge 1 ] && echo yes)" yes
t_has "and it stopped when it was sure" "$("$WEFT" status modulation)" "of the networks expect no better"

# ---- killed in the middle -------------------------------------------------------------
setsid "$WEFT" run --local -q "${small[@]}" "${coarse[@]}" "$example/modulation.yaml" >killed.out 2>&1 &
has_added() { [ "$(actions 3 add 2>/dev/null)" -ge 1 ]; }
t_until 120 has_added || t_fail "the run began" "$(cat killed.out)"
kill -9 "$(cut -d ' ' -f 3 <"$runs/3/engine")"
wait
added=$(actions 3 add)
t_is "killed before it was sure" "$(actions 3 stop)" 0
t_run 0 "a killed search is resumed" timeout 300 "$WEFT" resume -q modulation
t_is "with the same answer" "$(answer 3)" "0.038 0.061"
t_is "what it had said still holds" "$([ "$(actions 3 add)" -ge "$added" ] && echo yes)" yes
t_run 0 "the program was given each member once, and no member is recorded twice" \
	"$python" - "$runs/3" <<'P'
import collections, glob, json, sys
run = sys.argv[1]
def lines(path):
    return [json.loads(line) for line in open(path)]
given = [m["member"] for m in lines(run + "/steps/simulate/steer/results.jsonl")]
assert len(given) == len(set(given)), given
added = [a["member"] for f in glob.glob(run + "/actions/*") for a in lines(f) if a["action"] == "add"]
assert len(added) == len(set(added)), added
done = collections.Counter()
for f in glob.glob(run + "/records/**/*.jsonl", recursive=True):
    done.update(r["member"] for r in lines(f) if r["step"] == "simulate" and r["state"] == "done")
assert max(done.values()) == 1, done
P
t_done
