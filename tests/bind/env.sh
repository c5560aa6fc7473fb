#!/bin/bash
# env.sh - what a task finds in its environment, for vendors and cards that are not here.
# WEFT_TEST_WRITE=1 writes what is there now: look at the difference.
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/bind" || exit 2
unset "${!SLURM@}" "${!OMPI@}" "${!OMP@}" WEFT_TICKET WEFT_PLACED LOCAL_RANK LOCAL_WORLD_SIZE \
	CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES ZE_AFFINITY_MASK

while read -r name model tasks options; do
	case $name in '' | '#'*) continue ;; esac
	vendor=${model#*:}
	model=../place/${model%:*}.model
	if [ "$vendor" != "${model%.model}" ] && [[ $vendor =~ ^(intel|amd)$ ]]; then
		sed "s/vendor=nvidia/vendor=$vendor/" "$model" >"$T_TMP/model"
		model=$T_TMP/model
	fi
	got=$(for i in ${tasks//,/ }; do
		echo "task $i"
		# shellcheck disable=SC2086
		env -i "$WEFT" bind --topology "$model" $options --task "$i" -- /usr/bin/env |
			grep -E '^(OMP_|CUDA_|ROCR_|HIP_|GPU_|ZE_|NCCL_|UCX_|MPICH_|WEFT_)' |
			sed 's/by=pid:[0-9]* host=[^ ]* /by=- host=- /' | LC_ALL=C sort
	done 2>&1)
	if [ -n "${WEFT_TEST_WRITE-}" ]; then
		printf '%s\n' "$got" >"$name.env"
	fi
	t_is "$name" "$got" "$(cat "$name.env" 2>&1)"
done <cases
t_done
