/* fuzz_gres.c - Slurm's own texts: GRES of a node, array tasks, TRES of a job */
#include "fuzz.h"
#include "slurm/gres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_text(data, size);
	struct weft_arena arena = {0};
	struct weft_node n = {0};
	char *rest = text, *have = fuzz_line(&rest), *used = fuzz_line(&rest);
	uint64_t sum = 0;

	weft_autofree char *tasks = slurm_array_tasks(text);

	fuzz_must(!tasks || slurm_count_tasks(tasks) > 0);
	slurm_count_tasks(text);
	slurm_tres_count(text, "gres/gpu");
	fuzz_must(slurm_gres_have(&n, have, &arena) == 0);
	if (used)
		slurm_gres_used(&n, used);
	fuzz_must(n.n_gpu_types <= WEFT_CLUSTER_MAX_GPU_TYPES);
	for (size_t i = 0; i < n.n_gpu_types; i++)
		sum += n.gpus[i].count;
	fuzz_must(sum == n.n_gpus);
	weft_arena_free(&arena);
	return 0;
}
