#!/usr/bin/env bash
# Inputs that go to the own storage of several nodes: read once, broadcast by the engine.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

if [ "$(id -u)" -ne 0 ] || ! command -v slurmctld >/dev/null 2>&1; then
	t_skip 'a broadcast by the engine' 'not root, or no Slurm here'
	t_done
fi
t_need_hosts 'a broadcast by the engine'
dc=$TOP/contrib/devcluster/devcluster
cluster=$(mktemp -d /var/tmp/weft-test.XXXXXX)
trap '"$dc" down -q --dir "$cluster" >/dev/null 2>&1; rm -rf "$T_TMP" "$cluster"' EXIT
if ! "$dc" up -q --dir "$cluster" --build "$BUILD" --cpu-nodes 3 --gpu-nodes 0 >"$T_TMP/up" 2>&1; then
	t_fail 'the cluster starts' "$(cat "$T_TMP/up")"
	t_done
fi
work=$cluster/home/alice/w
mkdir -p "$work/tree"
head -c 3000000 /dev/urandom >"$work/data"
echo part >"$work/tree/part"
cat >"$work/w.yaml" <<'E2'
name: cast
steps:
  - name: three
    launch: srun
    command: [sh, "${{ workflow.dir }}/look", "${{ inputs.d }}", "${{ inputs.t }}"]
    inputs: [{from: ./data, as: d, to: node}, {from: ./tree, as: t, to: node, mode: copy}]
    resources: {nodes: 3, ntasks_per_node: 1, time: 5m}
  - name: again
    depends: [three]
    launch: srun
    command: [sh, "${{ workflow.dir }}/look", "${{ inputs.d }}"]
    inputs: [{from: ./data, as: d, to: node}]
    resources: {nodes: 3, ntasks_per_node: 1, time: 5m}
E2
# What was broadcast, and isn't for writing to, has a second name in the node's cache.
cat >"$work/look" <<'E2'
[ $# -eq 1 ] || echo more >>"$2/part" || exit 1
echo "sum $(md5sum <"$1" | cut -c1-32) $([ $# -eq 1 ] || wc -l <"$2/part") $(stat -c %h "$1")"
E2
chown -R --reference="$cluster/home/alice" "$work"
t_run 0 'a step of three nodes' "$dc" sh --dir "$cluster" --user alice --chdir "$work" -- \
	timeout 200 weft run w.yaml
out=$(cat "$work"/weft-runs/cast/1/steps/three/stdout)
t_is 'each node has both, one to write in' "$out" "$(for _ in 1 2 3; do
	echo "sum $(md5sum <"$work/data" | cut -c1-32) 2 2"
done)"
t_is 'what it brought to the nodes is counted' \
	"$(sed -n 's/.*"staged_in": \([0-9]*\).*/\1/p' "$work"/weft-runs/cast/1/steps/three/done.json)" $((3 * 3000005))
t_is 'a second step moves nothing: each node has it' \
	"$(sed -n 's/.*"staged_in": \([0-9]*\).*/\1/p' "$work"/weft-runs/cast/1/steps/again/done.json)" 0
t_has 'and the same' "$(cat "$work"/weft-runs/cast/1/steps/again/stdout)" "sum $(md5sum <"$work/data" | cut -c1-32)"

# ---- what one node made is broadcast: it has the same root hash, and must have
cat >"$work/made.yaml" <<'E2'
name: made
on_failure: continue
steps:
  - name: make
    scratch: node
    resources: {time: 5m}
    run: |
      mkdir tree; echo part >tree/part; ln -s part tree/link; ln tree/part tree/again
      head -c 70000000 /dev/urandom >data; truncate -s 80000000 data
    outputs: {data: data, tree: tree}
  - name: take
    launch: srun
    command: [sh, "${{ workflow.dir }}/look", "${{ inputs.d }}", "${{ inputs.t }}"]
    inputs: [{from: make.data, as: d, to: node}, {from: make.tree, as: t, to: node, mode: copy}]
    resources: {nodes: 3, ntasks_per_node: 1, time: 5m}
  - {name: spoil, depends: [take], run: ". ${{ workflow.dir }}/spoil", resources: {time: 5m}}
  - name: late
    depends: [spoil]
    launch: srun
    command: ["true"]
    inputs: [{from: make.tree, as: t, to: node, mode: copy}]
    resources: {nodes: 3, ntasks_per_node: 1, time: 5m}
E2
cat >"$work/spoil" <<'E2'
f=$WEFT_RUN_DIR/steps/make/out/tree/part
touch -r "$f" time; printf X | dd of="$f" bs=1 conv=notrunc status=none; touch -r time "$f"
E2
chown -R --reference="$cluster/home/alice" "$work"
t_run 5 'a step that takes what one node made, and one that takes it changed' \
	"$dc" sh --dir "$cluster" --user alice --chdir "$work" -- timeout 200 weft run made.yaml
said() { # STEP WHICH
	python3 -c 'import json,sys
r = json.load(open(sys.argv[1] + "/weft-runs/made/1/steps/%s/done.json" % sys.argv[2]))
print(*[o.get("hash") for o in r.get(sys.argv[3], [])])' "$work" "$1" "$2"
}
why() { python3 -c 'import json,sys
print(json.load(open(sys.argv[1] + "/weft-runs/made/1/steps/%s/done.json" % sys.argv[2]))["reason"])' "$work" "$1"; }
t_is 'what comes by broadcast has the hash that its producer has' "$(said take inputs)" "$(said make outputs)"
t_is 'which is that of a copy' "$(said make outputs | cut -d ' ' -f 1)" \
	"$("$WEFT" stage cp --json "$work"/weft-runs/made/1/steps/make/out/data "$T_TMP/copy" | sed 's/.*"hash": "\([^"]*\)".*/\1/')"
t_has 'what is another does not start a step' "$(why late)" "isn't what make made as its output 'tree': its root hash is"

# ---- a node that has it is the one that reads: not the first one, nor the file system
if [ "$VARIANT" = san ]; then
	t_skip 'a node that has it reads it' 'a sanitized command takes no preloaded library'
	t_done
fi
cat >"$work/near.yaml" <<'E2'
name: near
steps:
  - name: hold
    run: "hostname; until [ -e ${{ workflow.dir }}/made ]; do sleep 0.1; done"
    resources: {cpus_per_task: 16, time: 5m}
  - name: make
    scratch: node
    resources: {time: 5m}
    run: "hostname; head -c 40000000 /dev/urandom >data; mkdir tree; echo part >tree/part"
    outputs: {data: data, tree: tree}
  - name: tell
    depends: [make]
    run: "touch ${{ workflow.dir }}/made"
    resources: {time: 5m}
  - name: take
    depends: [hold]
    launch: srun
    command: [sh, "${{ workflow.dir }}/look", "${{ inputs.d }}", "${{ inputs.t }}"]
    inputs: [{from: make.data, as: d, to: node}, {from: make.tree, as: t, to: node, mode: copy}]
    resources: {nodes: 3, ntasks_per_node: 1, time: 5m}
E2
cp "$BUILD/tests/faulty.so" "$work/"
chown -R --reference="$cluster/home/alice" "$work"
# Where it was published it can't be read by anybody.
t_run 0 'a step whose input only another node can give' \
	"$dc" sh --dir "$cluster" --user alice --chdir "$work" -- \
	env LD_PRELOAD="$work/faulty.so" FAULTY=read-eio:make/out/ timeout 200 weft run near.yaml
near=$work/weft-runs/near/1/steps
t_is 'the engine is on another node' "$([ "$(cat "$near/hold/stdout")" != "$(cat "$near/make/stdout")" ] && echo yes)" yes
t_is 'all three have it' "$(sort -u "$near/take/stdout" | grep -c '^sum ')" 1
t_is 'with the hash that it was made with' "$(python3 -c 'import json,sys
r = [json.load(open("%s/%s/done.json" % (sys.argv[1], s))) for s in ("make", "take")]
print([o["hash"] for o in r[0]["outputs"]] == [o["hash"] for o in r[1]["inputs"]])' "$near")" True
# Who sends is killed at its first byte: the engine does it then.
sed -e 's/^name: near/name: killed/' -e 's/"${{ inputs.t }}"]/""]/; s/, {from: make.tree.*}]/]/' "$work/near.yaml" |
	sed 's/"${{ inputs.d }}", ""]/"${{ inputs.d }}"]/' >"$work/killed.yaml"
rm "$work/made"
t_run 0 'a sender that is killed' \
	"$dc" sh --dir "$cluster" --user alice --chdir "$work" -- \
	env LD_PRELOAD="$work/faulty.so" FAULTY=before:/cache/e/ FAULTY_HOOK='kill -9 $PPID' timeout 200 weft run killed.yaml
killed=$work/weft-runs/killed/1
t_has 'is told of' "$(grep -rhs "input 'd', from c" "$killed")" "input 'd', from c"
t_is 'and all three have it from the engine' "$(sort -u "$killed/steps/take/stdout" | grep -c '^sum ')" 1
t_is 'whole' "$(cut -d' ' -f2 "$killed/steps/take/stdout" | sort -u)" "$(md5sum <"$killed/steps/make/out/data" | cut -c1-32)"
t_done
