#!/bin/bash
# The node's cache in a workflow: what was brought, or made, on a node isn't moved to it.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP
t_second_fs "the node's cache"
mkdir "$NODE/scratch" "$NODE/memory"
cat >weft.conf <<E
scratch = $NODE/scratch
memory = $NODE/memory
node_cache_bytes = 200M
E
export WEFT_CONF=$T_TMP/weft.conf
unset WEFT_RUNS SLURM_JOB_ID
cached() { "$WEFT" stage ls --json | python3 -c 'import json,sys
d = json.load(sys.stdin); print(len(d), sum(x["bytes"] for x in d))'; }
staged() { # RUN STEP: bytes of all of its members
	python3 - "weft-runs/$1" "$2" <<'E'
import glob, json, sys
run, step = sys.argv[1:]
total = 0
for f in glob.glob(f"{run}/steps/{step}/done.json"):
    total += json.load(open(f))["staged_in"]
for f in glob.glob(f"{run}/records/*.jsonl"):
    for line in open(f):
        r = json.loads(line)
        if r["step"] == step:
            total += r.get("staged_in", 0)
print(total)
E
}

head -c 10000000 /dev/urandom >data.bin
mkdir tree && for i in 1 2 3; do echo "part $i" >tree/p$i; done
cat >flow.yaml <<'E'
name: flow
params: {k: {range: [1, 6]}}
steps:
  - name: make
    sweep: [k]
    scratch: node
    outputs: {field: field.bin, parts: {path: parts}}
    run: |
      head -c 2000000 /dev/zero | tr '\0' ${{ params.k }} > field.bin
      mkdir parts; echo ${{ params.k }} > parts/a; echo same > parts/b
  - name: use
    sweep: [k]
    inputs: [{from: make.field, as: field, to: node}, {from: make.parts, as: parts, to: node}]
    run: cat ${{ inputs.parts }}/a; stat -c %a ${{ inputs.field }}
  - name: all
    inputs: [{from: make.field, as: fields, to: node}]
    run: cat ${{ inputs.fields }}/*/field.bin | wc -c > n
    outputs: {n: n}
  - name: many
    sweep: {i: {range: [1, 20]}}
    inputs: [{from: ./data.bin, as: data, to: node}, {from: ./tree, as: tree, to: node}]
    run: cmp ${{ inputs.data }} ${{ workflow.dir }}/data.bin && cat ${{ inputs.tree }}/p3
  - name: own
    depends: [many]
    inputs: [{from: ./data.bin, as: data, to: node, mode: copy}]
    run: echo more >> ${{ inputs.data }}
  - name: after
    depends: [own]
    inputs: [{from: ./data.bin, as: data, to: node}]
    run: cmp ${{ inputs.data }} ${{ workflow.dir }}/data.bin
E
t_run 0 "a workflow with data on its node" "$WEFT" run --local -q flow.yaml
t_is "what was made there isn't moved to it" "$(staged flow/1 use)" 0
t_is "it can't be written to there" "$(cat weft-runs/flow/1/steps/use/*/stdout | grep -c '^444$')" 6
t_is "nor for a step that wants all of it" "$(staged flow/1 all) $(cat weft-runs/flow/1/steps/all/out/n)" "0 12000000"
# Or ahead of them, which none of them has to count.
t_is "what twenty members want is brought once" "$(test "$(staged flow/1 many)" -le 10000021 && echo yes)" yes
t_is "a private copy is one" "$(staged flow/1 own)" 10000000
t_is "and leaves what others have as it was" "$(staged flow/1 after)" 0
t_is "published is what was made" \
	"$(cat weft-runs/flow/1/steps/make/*/out/field.bin | wc -c) $(stat -c %a weft-runs/flow/1/steps/make/*/out/field.bin | sort -u)" "12000000 644"
t_is "the cache holds all of it once" "$(cached)" "14 $((12000000 + 6 * 7 + 10000000 + 21))"
t_is "and nothing else is left on the node" "$(find "$NODE" -type f ! -path '*/cache/*')" ""
t_run 0 "another run" "$WEFT" run --local -q flow.yaml
t_is "has the data already" "$(staged flow/2 many)" 0
echo new >>tree/p3
t_run 0 "with a source that has changed" "$WEFT" run --local -q flow.yaml
t_is "nothing else is brought" "$(test "$(staged flow/3 many)" -le 25 && echo yes)" yes
t_is "but that is" "$(cat weft-runs/flow/3/steps/many/*/stdout weft-runs/flow/3/steps/many/*/*/stdout 2>/dev/null | grep -c new)" 20
chmod -R u+w "$NODE/scratch" && for f in "$NODE"/scratch/*/cache/e/*; do [ ! -f "$f" ] || echo bad >>"$f"; done
t_run 0 "a cache that was written to" "$WEFT" run --local -q flow.yaml
t_is "isn't believed" "$(cat weft-runs/flow/4/steps/many/*/stdout weft-runs/flow/4/steps/many/*/*/stdout 2>/dev/null | grep -c new)" 20
rm -rf "$NODE"/scratch/* && mkdir -m 700 "$NODE/scratch/weft-$(id -u)" && mkdir -m 755 "$NODE/scratch/weft-$(id -u)/cache"
t_run 0 "one that can't be" "$WEFT" run --local -q flow.yaml
t_is "is done without" "$(staged flow/5 many)" 200000500
rm -rf "$NODE"/scratch/*
# ---- what is made is staged while the next one runs
cat >next.yaml <<E
name: next
params: {k: [1, 2, 3]}
steps:
  - name: a
    sweep: [k]
    scratch: node
    resources: {cpus_per_task: $(nproc)}
    outputs: {o: o}
    run: |
      date +%s.%N > began; head -c 150000000 /dev/zero > o; cp began $T_TMP/began.\${{ params.k }}
E
t_run 0 "members that need all of the node" "$WEFT" run --local -q next.yaml
t_is "begin while the one before is staged out" "$(python3 - <<'E'
import glob, json
end, began = [], []
for f in glob.glob("weft-runs/next/1/records/*.jsonl"):
    for line in open(f):
        r = json.loads(line); r = r.get("record", r)
        if r.get("step") == "a": end.append(r["ended"])
began = sorted(float(open(f"began.{k}").read()) for k in (1, 2, 3))
print(sum(b < e for b, e in zip(began[1:], sorted(end))))
E
)" 2
"$WEFT" stage gc -q --all

# ---- what the next one reads comes while this one runs
for k in 1 2; do head -c 20000000 /dev/urandom >in.$k; done
cat >ahead.yaml <<E
name: ahead
params: {k: [1, 2]}
steps:
  - name: a
    sweep: [k]
    inputs: [{from: "./in.\${{ params.k }}", as: d, to: node}]
    resources: {cpus_per_task: $(nproc)}
    # The first one ends when the second one's input is there.
    run: |
      n=0
      until [ \${{ params.k }} = 2 ] || $WEFT stage ls | grep -q in.2; do n=\$((n + 1)); test \$n -lt 600; sleep 0.05; done
      cmp "\$WEFT_INPUT_D" $T_TMP/in.\${{ params.k }}
E
t_run 0 "an input of the next member comes while one runs" "$WEFT" run --local -q ahead.yaml
t_is "and isn't brought again" "$(staged ahead/1 a)" 20000000
"$WEFT" stage gc -q --all

# ---- inputs for the run directory and for the node, outputs in and beside each other
cat >both.yaml <<'E'
name: both
steps:
  - name: a
    inputs: [{from: ./data.bin, as: own, mode: copy}, {from: ./tree, as: tree, to: node}]
    run: mkdir -p d/sub; echo one >d/x; echo two >d/sub/y; echo three >z
    outputs: {y: d/sub/y, all: "*", x: d/x, d: d, more: "d/*"}
  - name: b
    scratch: node
    run: mkdir -p d/sub; echo one >d/x; echo two >d/sub/y
    outputs: {y: d/sub/y, d: d}
E
t_run 0 "inputs here and there" "$WEFT" run --local -q both.yaml
t_is "are counted once" "$(staged both/1 a)" 10000025
t_is "an output in another one doesn't take its place" \
	"$(cd weft-runs/both/1/steps && find a/out b/out -type f | sort | tr '\n' ' ')" \
	"a/out/all/d/sub/y a/out/all/d/x a/out/all/z a/out/d/sub/y a/out/d/x a/out/more/sub/y a/out/more/x b/out/d/sub/y b/out/d/x "
"$WEFT" stage gc -q --all

# ---- a node that is too small is told before anything is brought to it
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=8m,nr_inodes=60 none "$NODE/scratch" 2>/dev/null; then
	cat >small.yaml <<'E'
name: small
on_failure: continue
params: {k: {range: [1, 40]}}
steps:
  - name: make
    sweep: [k]
    run: echo x > o
    outputs: {o: o}
  - name: bytes
    inputs: [{from: ./tree, as: t, to: node}, {from: ./data.bin, as: data, to: node}]
    run: "true"
  - name: files
    inputs: [{from: make.o, as: os, to: node}]
    run: "true"
E
	t_run 5 "a node that is too small" "$WEFT" run --local small.yaml
	t_has "is told with what is missing" "$T_OUT" "no space for the inputs in $NODE/scratch/weft-$(id -u)/small.1"
	t_has "in bytes" "$T_OUT" ": 9.5M needed, 8M left"
	t_has "in inodes" "$T_OUT" ": 80 inodes needed, "
	t_is "before anything was brought" "$(find "$NODE/scratch" -type f ! -path '*/cache/*')" ""
	umount "$NODE/scratch"
else
	t_skip "a node that is too small" "no mounts here"
fi
# ---- what lies in memory is the job's
cat >mem.yaml <<'E'
name: mem
steps:
  - name: a
    inputs: [{from: ./data.bin, as: data, to: memory}]
    resources: {mem: 5M}
    run: "true"
E
t_run 0 "inputs in memory, where none is counted" "$WEFT" run --local -q mem.yaml
run=$(ls -d "$PWD"/weft-runs/mem/1)
t_run 5 "in a job it is" env SLURM_JOB_ID=1 "$WEFT" member stage-in --run="$run" --step=a --member=0 --memory-root="$NODE/memory/u/r/a"
t_has "and what is missing is told" "$T_OUT" "the inputs in memory are 9.5M, and the step has 5M of it"
echo node_cache = no >>weft.conf
t_run 0 "a site that wants none" "$WEFT" run --local -q flow.yaml
t_is "has none" "$(find "$NODE" -type f ! -name lock)" ""
t_done
