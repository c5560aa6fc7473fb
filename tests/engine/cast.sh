#!/usr/bin/env bash
# Inputs that go to the own storage of several nodes: read once, broadcast by the engine.
# shellcheck source=tests/lib.sh disable=SC2317
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
t_done
