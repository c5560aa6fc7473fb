# shellcheck shell=bash
# het.sh - (b) one het job: 12 CPUs and a node's two GPUs from the beginning to the end.
# shellcheck disable=SC2154
id=$(sbatch --parsable --output="$PWD/het.log" --partition=cpu --nodes=1 --ntasks=12 \
	--mem=1200M --time=1 : --partition=gpu --nodes=1 --ntasks=2 --gpus-per-node=2 \
	--mem=200M --time=1 <<END
#!/bin/bash
step() { # COMPONENT TASKS OPTIONS... -- STEP'S ARGUMENTS: one task a member
	local c=\$1 n=\$2
	shift 2
	srun --quiet --het-group="\$c" --ntasks="\$n" "\$@"
}
step 0 12 bash -c '"$HERE/step.sh" $SIMULATE field.\$((SLURM_PROCID + 1)) \$((SLURM_PROCID + 1))' &&
	step 1 1 --gpus=1 "$HERE/step.sh" $TRAIN model 0 field.{1..12} &&
	for first in 1 3; do
		step 1 2 --gpus-per-task=1 bash -c \
			'k=\$(('\$first' + SLURM_PROCID)); "$HERE/step.sh" $HYBRID hybrid.\$k \$k model'
	done
END
) || exit
until [ -z "$(squeue --noheader --format=%i --jobs="$id")" ]; do sleep 10; done
cat hybrid.*
