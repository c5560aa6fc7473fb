/* fuzz_hostlist.c - host lists: what expands compresses to what expands the same */
#include "cluster/cluster.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_text(data, size);
	struct weft_err err = {0};
	char **name, **again;
	size_t n, m;

	for (size_t i = 0; i < 4; i++)
		weft_hostlist_number(text, i);
	if (weft_hostlist_expand(text, 2000, &name, &n, &err)) {
		fuzz_must(!name);
		fuzz_refused(&err);
		return 0;
	}
	fuzz_must(n <= 2000);
	weft_autofree char *list = weft_hostlist_compress((const char *const *)name, n);
	fuzz_must(list);
	fuzz_must(weft_hostlist_expand(list, 2000, &again, &m, &err) == 0 && m == n);
	for (size_t i = 0; i < n; i++)
		fuzz_must(*name[i] && strcmp(name[i], again[i]) == 0);
	weft_hostlist_free(name, n);
	weft_hostlist_free(again, m);
	return 0;
}
