#!/bin/bash
# The engine on this machine: what runs, what doesn't, what is recorded.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP
mkdir scratch memory
cat >weft.conf <<E
scratch = $T_TMP/scratch
memory = $T_TMP/memory
E
export WEFT_CONF=$T_TMP/weft.conf
unset WEFT_RUNS

weft() { "$WEFT" "$@"; }
json() { python3 -c "import json,sys; d=json.load(open(sys.argv[1])); print($2)" "$1"; }
steps=weft-runs

# ---- a sweep, its fan-in, values and environment ---------------------------------
cat >flow.yaml <<'E'
name: flow
vars: {greet: "it's $(touch pwned) \"fine\" `touch pwned`"}
params:
  kappa: [0.10, 0.2]
  word: ["$(touch pwned)", "a b;touch pwned"]
env: {FROM_TOP: top, BOTH: top}
steps:
  - name: sim
    sweep: [kappa, word]
    env: {BOTH: step}
    run: |
      printf '%s\n' ${{ params.kappa }} ${{ params.word }} "${{ vars.greet }}" > field.txt
      printf '%s\n' "$WEFT_PARAM_WORD" "$FROM_TOP" "$BOTH" "$WEFT_STEP" >> field.txt
      echo '{"loss": 0.5, "step": 1}' >> metrics.jsonl
      echo '{"loss": 0.25}' >> metrics.jsonl
    outputs: {field: field.txt}
  - name: collect
    inputs: [{from: sim.field, as: fields}]
    run: |
      test "$WEFT_INPUT_FIELDS" = ${{ inputs.fields }}
      cat ${{ inputs.fields }}/*/field.txt > ${{ outputs.all }}
      cp ${{ inputs.fields }}/index.jsonl index.jsonl
    outputs: {all: all.txt, index: index.jsonl}
  - name: use
    when: max(steps.sim.metrics.loss) < 0.3
    inputs: [{from: collect.all, as: all, mode: copy}]
    command: [sh, -c, 'echo more >> "$0"; wc -l < "$0" > n.txt', "${{ inputs.all }}"]
    outputs: {n: n.txt}
  - name: never
    when: max(steps.sim.metrics.loss) > 0.3
    depends: [sim]
    run: touch ran
  - name: spread
    depends: [never]
    run: touch ran
E
t_run 0 "a workflow runs here" weft run --local flow.yaml
t_has "its last line says so" "$T_OUT" "flow/1: done"
t_is "each member has its output" "$(find $steps/flow/1/steps/sim -name field.txt | wc -l)" 4
t_is "no value ever ran" "$(find . -name pwned)" ""
one=$(find $steps/flow/1/steps/sim -name field.txt | sort | xargs grep -l 'a b;touch' | head -n 1)
t_has "values are words, whatever they hold" "$(cat "$one")" "a b;touch pwned
it's \$(touch pwned) \"fine\" \`touch pwned\`
a b;touch pwned
top
step
sim"
t_is "a number stays as it was written" "$(grep -l '^0.10$' "$(dirname "$(dirname "$one")")"/../*/out/field.txt | wc -l)" 2
grep "$(basename "$(dirname "$(dirname "$one")")")" $steps/flow/1/records/local.jsonl >one.json
t_is "the record says what each task was given" "$(json one.json 'len(d["placement"]), d["placement"][0][:13], d["placement"][0][-17:]')" \
	"1 task 0: cpus  applied, verified"
t_is "the fan-in has an index" "$(wc -l <$steps/flow/1/steps/collect/out/index.jsonl)" 4
t_is "with the params of each member" "$(grep -c '"kappa":[ ]*0.2' $steps/flow/1/steps/collect/out/index.jsonl)" 2
t_is "metrics decide \`when\`" "$(cat $steps/flow/1/steps/use/out/n.txt)" 29
t_is "a copy is private" "$(wc -l <$steps/flow/1/steps/collect/out/all.txt)" 28
t_run 0 "status of it" weft status --json flow
printf '%s' "$T_OUT" >st.json
t_is "a false \`when\` skips, and the skip spreads" \
	"$(json st.json '[s["state"] for s in d["steps"]]')" \
	"['done', 'done', 'done', 'skipped', 'skipped']"
t_is "what was skipped didn't run" "$(find . -name ran)" ""
t_run 0 "a second run" weft run --local -q flow.yaml
t_is "has the next number" "$(ls $steps/flow)" "1
2"
t_run 0 "logs of a step" weft logs flow collect

# ---- failures -------------------------------------------------------------------
cat >fail.yaml <<'E'
name: fail
steps:
  - {name: a, run: "echo the reason >&2; exit 3"}
  - {name: b, depends: [a], run: touch ran}
  - {name: other, depends: [{step: a, state: ended}], run: touch other-ran}
  - {name: rescue, depends: [{step: a, state: failed}], run: echo rescued}
  - {name: last, finally: true, run: echo last}
E
t_run 1 "a step that fails is exit status 1" weft run --local fail.yaml
t_has "status says which and why" "$T_OUT" "failed a: exited with status 3"
t_has "and where its log is" "$T_OUT" "steps/a/stderr"
t_has "what needs it doesn't run" "$T_OUT" "not run b: a failed"
t_is "really" "$(find . -name ran)" ""
t_is "what asked for its end or failure does" \
	"$(weft status --json fail | python3 -c 'import json,sys; print([s["state"] for s in json.load(sys.stdin)["steps"]])')" \
	"['failed', 'not run', 'done', 'done', 'done']"
t_has "weft logs shows the reason" "$(weft logs fail a)" "the reason"

cat >miss.yaml <<'E'
name: miss
steps:
  - {name: a, run: "true", outputs: {x: x.bin, y: {path: y, optional: true}}}
  - {name: b, inputs: [{from: a.x, as: x}], run: touch ran}
E
t_run 5 "an output that is missing is exit status 5" weft run --local miss.yaml
t_has "and named, with its line" "$T_OUT" "miss.yaml:3:"
t_has "and its path" "$T_OUT" "output 'x' (x.bin)"
t_is "its dependents don't run" "$(find . -name ran)" ""

cat >kill.yaml <<'E'
name: kill
steps: [{name: a, run: "kill -9 $$"}]
E
t_run 1 "a step that is killed" weft run --local kill.yaml
t_has "says by what" "$T_OUT" "signal 9 (SIGKILL)"

cat >cont.yaml <<'E'
name: cont
on_failure: continue
params: {i: [1, 2, 3, 4, 5]}
steps:
  - name: a
    sweep: [i]
    max_failed: 1
    run: test ${{ params.i }} != 3; echo ${{ params.i }} > o
    outputs: {o: o}
  - name: pair
    sweep: [i]
    inputs: [{from: a.o, as: o}]
    run: cp ${{ inputs.o }} p
    outputs: {p: p}
  - name: all
    inputs: [{from: "a.o", as: o}]
    run: cat ${{ inputs.o }}/*/o | sort > all
    outputs: {all: all}
E
t_run 0 "max_failed lets a sweep lose a member" weft run --local cont.yaml
t_is "the others go on" "$(tr '\n' ' ' <$steps/cont/1/steps/all/out/all)" "1 2 4 5 "
t_is "each counterpart with its own" "$(cat $steps/cont/1/steps/pair/*/out/p | sort | tr '\n' ' ')" "1 2 4 5 "

cat >limit.yaml <<'E'
name: limit
steps: [{name: a, run: "sleep 60", resources: {time: 1s}}]
E
t_run 1 "a time limit ends a step" weft run --local limit.yaml
t_has "and is the reason" "$T_OUT" "time limit of 00:00:01"

# ---- files, setup, secrets, scratch, launchers -----------------------------------
echo hunter2 >secret
# shellcheck disable=SC2016 # weft expands it
printf 'mesh = ${{ vars.mesh }}\n' >in.tmpl
cat >parts.yaml <<'E'
name: parts
vars: {mesh: 16, conf: none}
secrets: {TOKEN: {file: secret}}
steps:
  - name: files
    files:
      sub/a.cfg: {template: in.tmpl}
      b.txt: {text: "n = ${{ vars.mesh }}"}
      c.txt: {copy: in.tmpl}
    setup: export FROM_SETUP=yes
    run: |
      cat sub/a.cfg b.txt; cat c.txt > /dev/null
      test "$FROM_SETUP" = yes
      printf %s "$TOKEN" | cksum
      test "$WEFT_CONF" = ${{ vars.conf }}
  - name: mem
    scratch: memory
    run: |
      pwd
      mkdir frames; for i in 1 2 3; do echo $i > frames/$i.bin; done
      mkdir tree; echo x > tree/x
    outputs: {frames: "frames/*.bin", tree: tree}
  - name: disk
    scratch: node
    inputs: [{from: mem.frames, as: f, to: node}, {from: [mem.tree], as: t, to: memory}]
    run: |
      case ${{ inputs.f }} in */scratch/*) ;; *) exit 9 ;; esac
      case ${{ inputs.t }} in */memory/*) ;; *) exit 8 ;; esac
      cat ${{ inputs.f }}/*.bin ${{ inputs.t }}/x > got
    outputs: {got: got}
  - name: ranks
    launch: srun
    resources: {ntasks: 3}
    run: echo "$SLURM_PROCID of $SLURM_NTASKS"
E
t_run 0 "files, setup, secrets, scratch and ranks" weft run --local parts.yaml --set vars.mesh=32 \
	--set "vars.conf=$WEFT_CONF"
t_has "templates are filled in" "$(cat $steps/parts/1/steps/files/stdout)" "mesh = 32
n = 32"
t_has "a secret is in the environment" "$(cat $steps/parts/1/steps/files/stdout)" \
	"$(printf hunter2 | cksum)"
t_is "and nowhere in the run directory" "$(grep -rl hunter2 $steps/parts)" ""
t_is "the working directory was in memory" "$(grep -c "^$T_TMP/memory/" $steps/parts/1/steps/mem/stdout)" 1
t_is "globs and folders are published" "$(cd $steps/parts/1/steps/mem/out && find . -type f | sort | tr '\n' ' ')" \
	"./frames/1.bin ./frames/2.bin ./frames/3.bin ./tree/x "
t_is "inputs came to the node" "$(tr '\n' ' ' <$steps/parts/1/steps/disk/out/got)" "1 2 3 x "
t_is "nothing is left on the node" "$(find scratch memory -type f ! -path '*/cache/*')" ""
t_is "tasks have their ranks" "$(sort $steps/parts/1/steps/ranks/stdout | tr '\n' ' ')" "0 of 3 1 of 3 2 of 3 "

# Members that run at once have CPUs of their own.
if [ "$(nproc)" -gt 1 ]; then
	cat >apart.yaml <<'E'
name: apart
labels: {project: looms}
params: {i: [1, 2]}
steps:
  - name: a
    sweep: [i]
    labels: {kind: pair}
    resources: {cpus_per_task: 1}
    run: |
      touch ../../begun-${{ params.i }}
      n=0; while [ $n -lt 50 ] && [ ! -e ../../begun-1 -o ! -e ../../begun-2 ]; do sleep 0.1; n=$((n + 1)); done
      grep Cpus_allowed_list /proc/self/status
E
	t_run 0 "two members at once" weft run --local apart.yaml
	t_is "have CPUs of their own" "$(cat $steps/apart/1/steps/a/*/stdout | sort -u | wc -l)" 2
	weft status --json apart >st.json
	t_is "labels are in the status" "$(json st.json 'd["labels"], d["steps"][0]["labels"]')" \
		"{'project': 'looms'} {'kind': 'pair'}"
	t_has "and in the run's record" "$(cat $steps/apart/1/run.json)" '"project": "looms"'
fi

# ---- interrupts and kills --------------------------------------------------------
cat >slow.yaml <<E
name: slow
steps:
  - {name: a, run: "touch $T_TMP/begun; exec sleep 4711.$$"}
  - {name: b, depends: [a], run: "true"}
E
alive() { pgrep -f "sleep 4711\.$$\$" >/dev/null; }
gone() { ! alive; }
begun() { [ -e begun ] && alive; }

setsid "$WEFT" run --local slow.yaml >slow.out 2>&1 &
pid=$!
t_until 20 begun || t_fail "the slow run began" "$(cat slow.out)"
kill -INT -- -"$(ps -o pgid= "$pid" | tr -d ' ')"
wait "$pid"
t_is "an interrupted run is exit status 7" $? 7
t_has "and says so" "$(cat slow.out)" "cancelled a"
if t_until 10 gone; then t_ok "no process is left"; else t_fail "no process is left" "$(pgrep -af "sleep 4711\.$$\$")"; fi

rm -f begun
setsid "$WEFT" run --local slow.yaml >slow.out 2>&1 &
pid=$!
t_until 20 begun || t_fail "the slow run began again" "$(cat slow.out)"
kill -9 "$pid"
wait "$pid" 2>/dev/null
if t_until 15 gone; then t_ok "kill -9 leaves no process"; else t_fail "kill -9 leaves no process" "$(pgrep -af "sleep 4711\.$$\$")"; fi
t_run 7 "and what it was is recorded" weft status slow
t_has "as cancelled" "$T_OUT" "cancelled a"

# ---- what a member used ---------------------------------------------------------------
cat >used.yaml <<'E'
name: used
steps:
  - {name: one, run: "head -c 60M /dev/zero | tail -n 1 >/dev/null"}
  - {name: many, sweep: {i: [1]}, run: "head -c 60M /dev/zero | tail -n 1 >/dev/null"}
  - {name: little, sweep: {i: [1]}, command: ["true"]}
E
t_run 0 "members that use memory and time" weft run --local -q used.yaml
for step in one many; do
	cat $steps/used/1/steps/$step/done.json >one.json 2>/dev/null ||
		grep "\"step\":\"$step\"" $steps/used/1/records/local.jsonl >one.json
	t_is "the record of $step has both" \
		"$(json one.json 'd["user_seconds"] + d["system_seconds"] > 0.001, 60e6 < d["max_rss"] < 600e6')" "True True"
done
grep '"step":"little"' $steps/used/1/records/local.jsonl >one.json
t_is "what is weft's own isn't a member's" "$(json one.json '"max_rss" in d')" "False"

# ---- a file system without locks, hard links and flags for renaming -------------------
if [ "$VARIANT" != san ]; then
	cat >bare.yaml <<E
name: bare
steps:
  - {name: sim, sweep: {i: [1, 2, 3]}, run: "echo \${{ params.i }} >x; test \${{ params.i }} != 3 || test -e $T_TMP/may", outputs: {x: x}}
  - {name: sum, inputs: [{from: sim.x, as: x}], run: "cat \$WEFT_INPUT_X/*/x >all", outputs: {all: all}}
E
	bare() { FAULTY="no-locks no-links no-flags" LD_PRELOAD=$BUILD/tests/faulty.so "$WEFT" "$@"; }
	t_run 1 "a run where these are missing" bare run --local -q bare.yaml
	touch "$T_TMP/may"
	t_run 0 "goes on" bare resume -q bare
	t_is "to the same end" "$(sort $steps/bare/1/steps/sum/out/all | tr '\n' ' ')" "1 2 3 "
fi

# ---- wrong use -------------------------------------------------------------------
t_run 2 "no file" weft run
t_run 2 "an unknown option" weft run --lcoal flow.yaml
t_has "is told with what is near" "$T_OUT" "did you mean --local?"
t_run 3 "a file with mistakes" weft run --local /dev/null
t_run 2 "an unknown run" weft status nosuchrun
t_run 2 "an unknown step" weft logs flow simm
t_has "is told with what is near" "$T_OUT" "did you mean 'sim'?"
mkdir ro
cp flow.yaml ro/
chmod 555 ro
if [ "$(id -u)" -ne 0 ]; then
	t_run 2 "a folder that can't be written" sh -c "cd ro && '$WEFT' run --local flow.yaml"
	t_has "is told, with what to do" "$T_OUT" "name one with --run-dir"
fi
t_done
