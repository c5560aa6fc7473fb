/* fuzz_expr.c - the language between ${{ and }} */
#include "expr/expr.h"
#include "fuzz.h"

/* Some names have a value of each kind, some none, some are wrong. */
static int look_up(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	(void)ctx;
	fuzz_must(name->n >= 1 && name->n <= WEFT_COUNT(name->part));
	switch (name->part[name->n - 1][0]) {
	case 'a':
		return weft_value_set_number(out, 3);
	case 'b':
		weft_value_set_bool(out, true);
		return 0;
	case 'c':
		return weft_value_set_string(out, "it's $(x) \"`\\");
	case 'd':
		return weft_value_from_text(out, "1e-3", false);
	case 'e':
		return weft_value_set_number(out, -1e300);
	case 'f':
		return weft_err_set(err, WEFT_ESPEC, "no");
	case 'g':
		return 0;
	case 'h':
		out->item = calloc(2, sizeof(*out->item));
		out->kind = WEFT_V_LIST;
		out->n = out->item ? 2 : 0;
		return out->item ? weft_value_set_string(&out->item[1], "x")
				 : weft_err_nomem(err);
	default:
		return 1;
	}
}

static int see(void *ctx, const struct weft_name *name)
{
	(void)ctx;
	fuzz_must(name->n && name->part[0]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size);
	struct weft_arena arena = {0};
	struct weft_expr *e;
	struct weft_err err = {0};
	struct weft_value v;

	if (weft_expr_parse(&arena, text, size, &e, &err)) {
		fuzz_refused(&err);
		weft_arena_free(&arena);
		return 0;
	}
	fuzz_must(weft_expr_names(e, see, NULL) == 0);
	int rc = weft_expr_eval(e, look_up, NULL, &v, &err);

	if (rc < 0) {
		fuzz_must(v.kind == WEFT_V_NULL);
		fuzz_refused(&err);
	} else {
		weft_autostr struct weft_str s = {0}, json = {0};
		struct weft_value copy = {0};

		fuzz_must(weft_value_print(&s, &v) == 0);
		fuzz_must(weft_value_json(&json, &v) == 0);
		fuzz_must(weft_value_copy(&copy, &v) == 0);
		weft_value_clear(&copy);
		weft_value_clear(&v);
	}
	weft_arena_free(&arena);
	return 0;
}
