/* fuzz_cluster.c - a cluster's file: what is read prints, and reads the same again */
#include "cluster/cluster.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	weft_autostr struct weft_str one = {0}, two = {0};
	struct weft_cluster *c, *again;
	struct weft_err err = {0};

	if (weft_cluster_parse("c.yaml", text, size, &c, &err)) {
		fuzz_must(!c);
		fuzz_refused(&err);
		return 0;
	}
	for (size_t i = 0; i < c->n_partitions; i++)
		for (size_t k = 0; k < c->partition[i].n_nodes; k++)
			fuzz_must(c->partition[i].node[k] < c->n_nodes);
	fuzz_must(weft_cluster_print(c, &one) == 0);
	if (weft_cluster_parse("c.yaml", one.s, one.len, &again, &err)) {
		fprintf(stderr, "%s\n%s\n", err.text, one.s);
		fuzz_must(!"what was printed reads again");
	}
	fuzz_must(weft_cluster_print(again, &two) == 0);
	fuzz_must(strcmp(one.s, two.s) == 0);
	weft_cluster_free(c);
	weft_cluster_free(again);
	return 0;
}
