#!/bin/bash
# The demo's workflow on the private cluster, smaller: MPI simulations over the CPU nodes,
# training over the GPU nodes, the hybrid; as two users, under optional and required; by
# `weft run`, and with the user's own batch script and srun.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

EXAMPLE=$TOP/contrib/examples/augmentation
# The example is a program of its own: one build of it serves all variants.
SOLVER=$BUILD/examples/augmentation/gray-scott
[ -x "$SOLVER" ] || SOLVER=$TOP/build/examples/augmentation/gray-scott
t_cluster "the demo's workflow" --boot "$TOP/contrib/devcluster/borrowed-topology" --optional

python=
for p in /usr/bin/python3 python3; do
	"$p" -c 'import torch' 2>/dev/null && python=$(command -v "$p") && break
done
if [ -z "$python" ] || [ ! -x "$SOLVER" ]; then
	t_skip "the demo's workflow" "no Python with torch, or no MPI compiler"
	t_done
fi

as() { # as USER COMMAND...: in the user's copy of the example
	user=$1
	shift
	devcluster sh --user "$user" --chdir "$DIR/home/$user/demo" -- "$@"
}
copy_to() {
	cp -r "$EXAMPLE" "$DIR/home/$1/demo"
	cp "$SOLVER" "$DIR/home/$1/demo/"
	chown -R --reference="$DIR/home/$1" "$DIR/home/$1/demo"
}
small=(--set "vars.python=$python" --set vars.epochs=8 --set vars.steps=200)

copy_to alice
t_run 0 "the workflow, the plug-in optional" as alice weft run "${small[@]}" augmentation.yaml
run=$DIR/home/alice/demo/weft-runs/augmentation/1
status=$(as alice weft status --json --metric error augmentation)
field() { printf '%s' "$status" | python3 -c "import json,sys; d=json.load(sys.stdin); s={x['name']: x for x in d['steps']}; print($1)"; }
t_is "eight simulations over both CPU nodes" \
	"$(field '"%d %s" % (s["simulate"]["done"], ",".join(sorted({m["hosts"] for m in s["simulate"]["members"]})))')" "8 c1,c2"
t_is "training over both GPU nodes" "$(field 's["train"]["members"][0]["hosts"]')" "g1,g2"
t_is "the hybrid is near the full solver" "$(field '0 < float(s["compare"]["metrics"]["error"]) < 0.1')" True
t_is "a picture of both" "$(head -c 4 "$run/steps/compare/out/fields.png" | tail -c 3)" PNG

# ---- the user's own script, sized and placed by the file --------------------------------
cat >"$DIR/home/alice/demo/job.sh" <<'E'
#!/bin/bash
#SBATCH --partition=gpu --nodes=2 --ntasks-per-node=2 --gpus-per-node=2 --time=5 --mem=1G
#SBATCH --output=job.out
srun --weft-step=deal sh -c 'echo "task $SLURM_PROCID on $(hostname) gpu=$CUDA_VISIBLE_DEVICES nic=$NCCL_IB_HCA word=$WORD input=$(cat "$WEFT_INPUT_WORDS")"'
weft exec deal -- sh -c 'echo "exec $SLURM_PROCID gpu=$CUDA_VISIBLE_DEVICES"'
E
cat >"$DIR/home/alice/demo/own.yaml" <<'E'
name: own
steps:
  - name: deal
    role: training
    env: {WORD: weave}
    inputs: [{from: ./words.txt, as: words}]
    launch: srun
    command: ["true"]
    resources: {nodes: 2, ntasks_per_node: 2, gpus_per_node: 2, cpus_per_task: 1, time: 5m, mem: 500M}
E
echo warp >"$DIR/home/alice/demo/words.txt"
cp -r "$DIR/home/alice/demo/"{job.sh,own.yaml,words.txt} "$DIR/home/bob/"
chown -R --reference="$DIR/home/alice" "$DIR/home/alice/demo"
queue_empty() { [ -z "$(as "$1" squeue -h)" ]; }
own_script() { # own_script USER
	t_run 0 "$1: sbatch --weft=FILE SCRIPT" as "$1" sbatch --weft=own.yaml job.sh
	t_until 60 queue_empty "$1" || t_fail "$1: it ends" "$(as "$1" squeue)"
	out=$(cat "$DIR/home/$1/demo/job.out")
	t_is "$1: four tasks, environment and input from the file" \
		"$(grep -c '^task [0-3] on g[12] .*word=weave input=warp$' <<<"$out")" 4
	t_is "$1: each with its own GPU and the card beside it" \
		"$(grep -oE '^task .*' <<<"$out" | grep -cE 'gpu=0 nic==?mlx5_0 |gpu=1 nic==?mlx5_1 ')" 4
	t_is "$1: weft exec does the same" "$(grep -c '^exec [0-3] gpu=[01]$' <<<"$out")" 4
	t_is "$1: no word of trouble" "$(grep -iE 'error|warning' <<<"$out")" ""
}
own_script alice

# ---- another user, the plug-in required --------------------------------------------------
devcluster up -q --build "$BUILD" --boot "$TOP/contrib/devcluster/borrowed-topology" --required >"$T_TMP/up.log" 2>&1
copy_to bob
mv "$DIR/home/bob/"{job.sh,own.yaml,words.txt} "$DIR/home/bob/demo/"
chown -R --reference="$DIR/home/bob" "$DIR/home/bob/demo"
t_run 0 "the workflow, the plug-in required" as bob weft run "${small[@]}" augmentation.yaml
own_script bob
t_is "no node was drained" "$(as bob sinfo -h -R)" ""
t_done
