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

/* What holds for each user that is named, and for one who isn't. */
static void see_users(const struct weft_conf *c)
{
	for (size_t i = 0; i <= c->n_users; i++) {
		const char *name = i < c->n_users ? c->user[i].name : "nobody else";
		struct weft_conf_limits limits;
		struct weft_err err = {0};
		size_t n = 0;

		weft_conf_limits(c, name, &limits);
		fuzz_must(weft_conf_each_rule_of(c, name, see, &n) == 0 && n);
		fuzz_must((weft_conf_user(c, name) != NULL) == (i < c->n_users));
		if (weft_conf_switched_on(c, name, &err))
			fuzz_must(err.text && err.hint && err.file);
		weft_err_clear(&err);
	}
	for (size_t i = 0; i < c->n_partitions; i++) {
		struct weft_err err = {0};

		fuzz_must(!weft_conf_partition_on(c, c->partition[i].name, &err) ==
			  c->partition[i].enabled);
		weft_err_clear(&err);
	}
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
	see_users(c);
	weft_conf_free(c);
	return 0;
}
