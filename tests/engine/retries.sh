#!/bin/bash
# Attempts after the first, on this machine: what is tried again, when, how often and with
# what; what stays failed.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP
unset WEFT_RUNS

weft() { "$WEFT" "$@"; }
record() { python3 -c "import json,sys; d=json.load(open(sys.argv[1])); print($2)" "weft-runs/$1/done.json"; }
tries() { tr '\n' ' ' <"$1"; }

cat >again.yaml <<E
name: again
on_failure: continue
steps:
  - name: code
    retries: [{max: 1, causes: oom}, {max: 3, causes: [75, 76]}]
    run: |
      echo \$WEFT_ATTEMPT >>$T_TMP/code; ls >>$T_TMP/found; touch leftover
      test \$WEFT_ATTEMPT = 2 || exit 75
      echo \${{ attempt }} >out
    outputs: {o: out}
  - {name: other, retries: {max: 3, causes: 75}, run: "echo x >>$T_TMP/other; exit 1"}
  - {name: often, retries: {max: 2}, run: "echo x >>$T_TMP/often; exit 1"}
  - name: slow
    resources: {time: "\${{ 1 + 30 * attempt }}s"}
    retries: {max: 2, causes: timeout}
    run: echo \$WEFT_ATTEMPT >>$T_TMP/slow; sleep 2
  - name: large
    resources: {mem: 20M}
    retries: {max: 1, causes: oom}
    run: |
      echo \$WEFT_ATTEMPT >>$T_TMP/large
      test \$WEFT_ATTEMPT = 1 || { head -c 60M /dev/zero | tail -n 1 >/dev/null; kill -9 \$\$; }
  - name: goes-on
    retries: {max: 1, restart: "cat was; echo restarted \${{ attempt }} >out"}
    command: [sh, -c, "echo begun >was; exit 9"]
    outputs: {o: out}
  - {name: after, depends: [code], run: "true"}
  - {name: rescue, depends: [{step: often, state: failed}], run: "true"}
E
t_run 1 "what fails for good fails the run" weft run --local -q again.yaml
t_is "an exit code that is a cause is tried again" "$(tries code)" "0 1 2 "
t_is "in an empty directory" "$(cat found)" ""
t_is "and its record is that of the last attempt" \
	"$(record again/1/steps/code '(d["state"], d["attempt"], open(d["outputs"][0]["path"]).read())')" \
	"('done', 2, '2\\n')"
t_is "another exit code isn't" "$(tries other)" "x "
t_is "without causes anything is, up to max" "$(tries often)" "x x x "
t_is "a timeout is a cause, and the time may grow" "$(tries slow)" "0 1 "
t_is "so is a lack of memory" "$(tries large)" "0 1 "
t_is "restart runs in the directory as it was" \
	"$(cat weft-runs/again/1/steps/goes-on/out/out weft-runs/again/1/steps/goes-on/stdout)" "restarted 1
begun"
t_is "what depends on it waits for the last attempt" "$(record again/1/steps/after 'd["state"]')" "done"
t_is "a failure counts once it is final" "$(record again/1/steps/rescue 'd["state"]')" "done"

t_has "status tells of attempts" "$(weft status again)" "attempts code: again, 2 times"

# ---- how long between -----------------------------------------------------------------
cat >wait.yaml <<E
name: wait
steps:
  - name: a
    sweep: {i: [1, 2, 3]}
    resources: {cpus_per_task: 1}
    retries: {max: 1, causes: 9, backoff: 2s}
    run: date +%s%N >>$T_TMP/at-\${{ params.i }}; test \$WEFT_ATTEMPT = 1 || exit 9
E
t_run 0 "a backoff" weft run --local -q wait.yaml
t_is "is kept by each member" "$(for i in 1 2 3; do
	awk 'NR == 1 { a = $1 } NR == 2 { print ($1 - a >= 2e9) }' at-$i
done | tr '\n' ' ')" "1 1 1 "

# ---- checkpoints ----------------------------------------------------------------------
cat >count.py <<'E'
import os, signal, sys, time
done = int(open("state").read()) if os.path.exists("state") else 0
def leave(*_):
    open("state", "w").write(str(done))
    sys.exit(3)
signal.signal(signal.SIGUSR1, leave)
while done < 30:
    time.sleep(0.1)
    done += 1
open("out", "w").write("%d %s" % (done, os.environ["WEFT_RESTART_COUNT"]))
E
cat >check.yaml <<'E'
name: check
vars: {max: 10}
steps:
  - name: a
    resources: {time: 3s}
    checkpoint: {signal: USR1, before: 2s, max: "${{ vars.max }}"}
    run: |
      python3 ${{ workflow.dir }}/count.py
      true
    outputs: {o: out}
E
t_run 0 "a step with checkpoints" weft run --local -q check.yaml
t_is "goes on until it is done" "$(cut -d ' ' -f 1 weft-runs/check/1/steps/a/out/out)" 30
t_is "after being told" "$(cut -d ' ' -f 2 weft-runs/check/1/steps/a/out/out | awk '{ print ($1 >= 2) }')" 1
t_run 1 "not more often than max" weft run --local -q --set vars.max=1 check.yaml
t_has "and then it has failed" "$(record check/2/steps/a 'd["reason"]')" "exited with status 3"

# ---- a run that stops -----------------------------------------------------------------
cat >stop.yaml <<E
name: stop
steps:
  - {name: a, retries: {max: 5, backoff: 1h}, run: "touch $T_TMP/failed; exit 1"}
  - {name: b, run: "until [ -e $T_TMP/failed ]; do sleep 0.05; done; exit 2"}
E
t_run 1 "a stopped run waits for no backoff" timeout 30 "$WEFT" run --local -q stop.yaml
t_is "what waited didn't run again" "$(record stop/1/steps/a 'd["state"]')" "not run"
t_done
