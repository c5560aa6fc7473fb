/* fuzz_conf.c - weft.conf, which root reads: the reader and the checker agree */
#include "conf/conf.h"
#include "fuzz.h"

static int see(void *ctx, const struct weft_conf_rule *rule)
{
	size_t *n = ctx;

	fuzz_must(rule->key && rule->value);
	++*n;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	struct weft_errs errs = {0};
	struct weft_err err = {0};
	struct weft_conf *c;
	size_t n = 0;
	int bad = weft_conf_check("weft.conf", text, size, &errs);

	fuzz_must(!bad == !errs.n);
	weft_errs_clear(&errs);
	if (weft_conf_parse("weft.conf", text, size, &c, &err)) {
		fuzz_must(bad && !c && err.code == WEFT_ECONF);
		fuzz_refused(&err);
		return 0;
	}
	fuzz_must(!bad);
	fuzz_must(weft_conf_each_rule(c, see, &n) == 0 && n);
	weft_conf_free(c);
	return 0;
}
