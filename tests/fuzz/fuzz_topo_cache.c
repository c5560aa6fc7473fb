/* fuzz_topo_cache.c - the cache file, which root reads: as it is, and with the host,
 * the boot, the mark and the digest made right, so that what is behind them is read
 * too.  The file's own checks, by path and owner, are before all this
 * (test_topo_model.c). */
#include "topo/cache.c"

#include "fuzz.h"

static void read_cache(char *text, size_t n)
{
	struct weft_err err = {0};
	struct weft_machine *m = NULL;

	if (check(text, n, "cache", &m, &err)) {
		fuzz_must(!m);
		fuzz_refused(&err);
	}
	weft_machine_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *raw = fuzz_text(data, size);
	weft_autostr struct weft_str s = {0};
	char host[64], boot[40], mark[WEFT_DIGEST_HEX], digest[WEFT_DIGEST_HEX];
	size_t n = strlen(raw);

	fuzz_must(this_boot(host, boot, NULL) == 0);
	weft_digest(raw, n, digest);
	fuzz_must(weft_machine_mark("", mark, NULL) == 0);
	weft_str_printf(&s, HEADER "host %s\nboot %s\nmark %s\nborrowed 1\ndigest %s\n",
		host, boot, mark, digest);
	weft_str_addn(&s, raw, n);
	fuzz_must(!s.failed);
	read_cache(s.s, s.len);
	read_cache(raw, n);
	return 0;
}
