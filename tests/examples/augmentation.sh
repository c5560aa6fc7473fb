#!/bin/bash
# The example by hand, without weft: solver, training, hybrid, comparison, picture.
# shellcheck source=tests/lib.sh
. "$(dirname -- "$0")/../lib.sh"

example=$TOP/contrib/examples/augmentation
solver=$BUILD/examples/augmentation/gray-scott
out=$T_TMP
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# What torchrun of torch 1.13 needs under Python 3.11, as in augmentation.yaml.
export PET_REDIRECTS=9:1 PET_TEE=9:1
export PYTHONDONTWRITEBYTECODE=1
unset SLURM_STEP_NUM_TASKS

if ! command -v mpicc mpirun >/dev/null; then
	t_skip "augmentation" "no mpicc or mpirun (Debian: libopenmpi-dev openmpi-bin)"
	t_done
fi
if [ ! -x "$solver" ]; then
	solver=$out/gray-scott
	t_run 0 "the README's line builds it" mpicc -std=gnu11 -O3 -ffp-contract=off \
		-Wall -Wextra -Werror -o "$solver" "$example"/*.c -lm
fi

mpi() {
	local ranks=$1
	shift
	mpirun --oversubscribe --mca mpi_yield_when_idle 1 -n "$ranks" "$@"
}
sums() {
	(cd "$1" && sha256sum field-*.gsf) || echo "no fields in $1"
}

t_run 0 "--help" "$solver" --help
t_has "--help names --network" "$T_OUT" --network
t_run 2 "no folder" "$solver" --steps 5
t_has "no folder: what to do" "$T_OUT" "give -o DIR"
t_run 2 "unknown option" "$solver" --fed 0.03 -o "$out/x"
t_has "unknown option: its name" "$T_OUT" "--fed: unknown option"
t_run 2 "a value out of range" "$solver" --feed 7 -o "$out/x"
t_has "a value out of range: the range" "$T_OUT" "from 0 to 1"
t_run 2 "a size that is no number" "$solver" --size 12x -o "$out/x"
t_run 2 "samples without --every" "$solver" --samples -o "$out/x"
t_run 1 "a folder that can't be made" "$solver" --steps 1 -o /proc/none/x
t_run 1 "a network that is missing" "$solver" --network "$out/none" -o "$out/x"
t_run 1 "tasks of srun without MPI" env SLURM_STEP_NUM_TASKS=2 "$solver" -o "$out/x"
t_has "tasks of srun without MPI: what to do" "$T_OUT" "srun --mpi=pmix"
if [ -e "$out/x" ]; then t_fail "refused runs leave nothing"; else
	t_ok "refused runs leave nothing"
fi

# An odd size, so that blocks differ.
case=(--size 61 --steps 60 --every 20 --seed 5)
t_run 0 "1 rank" mpi 1 "$solver" "${case[@]}" -o "$out/one"
for ranks in 2 3 4; do
	t_run 0 "$ranks ranks" mpi "$ranks" "$solver" "${case[@]}" -o "$out/r$ranks"
	t_is "$ranks ranks: the same bits as 1" "$(sums "$out/r$ranks")" "$(sums "$out/one")"
done
t_run 0 "restart" mpi 2 "$solver" "${case[@]}" -o "$out/again" \
	--restart "$out/one/field-000040.gsf"
t_is "restart: the same bits" "$(cmp "$out"/{one,again}/field-000060.gsf 2>&1)" ""
t_run 1 "restart from another size" "$solver" -n 60 -o "$out/x" \
	--restart "$out/one/field-000040.gsf"
t_has "restart from another size: what to do" "$T_OUT" "give --size 61"
head -c 5000 "$out/one/field-000040.gsf" >"$out/cut.gsf"
t_run 1 "restart from a file cut short" "$solver" -n 61 -o "$out/x" \
	--restart "$out/cut.gsf"
t_is "no partial files" "$(find "$out" -name '*.part')" ""

python=$(t_python torch numpy)
if [ -z "$python" ]; then
	t_skip "training" "no Python with torch (Debian: python3-torch)"
	t_done
fi

for point in "0.036 0.059" "0.036 0.063" "0.042 0.059" "0.042 0.063"; do
	read -r feed kill <<<"$point"
	mpi 2 "$solver" -F "$feed" -k "$kill" -n 64 -s 300 -e 30 --samples --seed 7 \
		-o "$out/data/$feed-$kill" >/dev/null || t_fail "simulate $point"
done
# As weft stages the members of a sweep: an index says which folders count.
for run in "$out"/data/0*; do
	printf '{"id": "%s", "params": {}, "path": "%s"}\n' "${run##*/}" "${run##*/}"
done >"$out/data/index.jsonl"
cp -r "$out/one" "$out/data/stray"
train=("$example/train.py" --data "$out/data" --cells 2048 --batch 1024)
t_run 0 "train with 2 workers" timeout 120 "$python" -m torch.distributed.run \
	--rdzv_backend c10d --rdzv_endpoint localhost:0 --nproc_per_node 2 "${train[@]}" --epochs 20 \
	--out "$out/net" --metrics "$out/train.jsonl"
t_has "rank 0 alone reports" "$(grep -c '^epoch 20/20' <<<"$T_OUT")" 1
t_has "metrics: rollout_error" "$(tail -1 "$out/train.jsonl")" '"rollout_error"'
t_has "index.jsonl says which runs" "$T_OUT" "4 runs"
rm -r "$out/data/index.jsonl" "$out/data/stray"
for i in a b; do
	"$python" "${train[@]}" --epochs 1 --out "$out/net.$i" >/dev/null ||
		t_fail "train with 1 process"
done
t_is "the same seed, the same network" "$(cmp "$out/net.a" "$out/net.b" 2>&1)" ""
t_run 1 "train on an empty folder" "$python" "$example/train.py" --data "$out/x" \
	--out "$out/none"
t_has "train on an empty folder: a message, no traceback" "$T_OUT" "train.py: "

point=(-F 0.039 -k 0.0605 -n 96 -s 250 -e 50)
t_run 0 "full" mpi 2 "$solver" "${point[@]}" -o "$out/full"
t_run 0 "hybrid" mpi 2 "$solver" "${point[@]}" --network "$out/net" -o "$out/hybrid"
t_run 0 "hybrid on 4 ranks" mpi 4 "$solver" "${point[@]}" --network "$out/net" \
	-o "$out/hybrid4"
t_is "hybrid on 4 ranks: the same bits" "$(sums "$out/hybrid4")" "$(sums "$out/hybrid")"
t_run 0 "compare: within 5%" "$python" "$example/compare.py" "$out/full" "$out/hybrid" \
	--metrics "$out/metrics.jsonl" --picture "$out/fields.png" --max-error 0.05
t_run 0 "compare: metrics and picture" "$python" - "$out" <<'END'
import json, struct, sys
last = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")][-1]
assert 0 < last["error"] < 0.05 and last["full_cpu_s"] > 0, last
assert last["reaction_speedup"] > 1, last
png = open(sys.argv[1] + "/fields.png", "rb").read()
assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[-8:-4] == b"IEND", png[:8]
assert struct.unpack(">II", png[16:24]) == (16 + 3 * (3 * 96 + 16), 30 + 3 * 96 + 48)
END
t_run 1 "compare: above the bound" "$python" "$example/compare.py" "$out/full" \
	"$out/hybrid" --max-error 1e-9
t_has "compare: above the bound: what to do" "$T_OUT" "train longer"

head -c 300 "$out/net" >"$out/cut.net"
t_run 1 "a network cut short" "$solver" --network "$out/cut.net" -o "$out/x"
t_has "a network cut short: what to do" "$T_OUT" "cut.net: not a whole"
t_run 1 "another --dt than the network's" "$solver" --dt 1 --network "$out/net" \
	-o "$out/x"
t_has "another --dt than the network's: what to do" "$T_OUT" "leave --dt out"
t_done
