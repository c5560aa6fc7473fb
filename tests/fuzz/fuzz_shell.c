/* fuzz_shell.c - texts with ${{ }} in them, those of the shell and others, and what
 * they become with harmless and with hostile values */
#include "expr/expr.h"
#include "fuzz.h"

static int look_up(void *ctx, const struct weft_name *name, struct weft_value *out,
	struct weft_err *err)
{
	(void)name;
	(void)err;
	return weft_value_set_string(out, ctx);
}

static int see(void *ctx, const struct weft_name *name)
{
	(void)ctx;
	(void)name;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const values[] = {
		"x", "", "it's", "a b; $(c) `d` \"e\" \\", "-n\n#!", "\\"};
	weft_autofree char *text = fuzz_text(data, size);

	for (int q = WEFT_QUOTE_NONE; q <= WEFT_QUOTE_SHELL; q++) {
		struct weft_arena arena = {0};
		struct weft_template *t;
		struct weft_err err = {0};

		if (weft_template_parse(&arena, text, (enum weft_quoting)q, &t, &err)) {
			fuzz_refused(&err);
			weft_arena_free(&arena);
			continue;
		}
		fuzz_must(t || !strstr(text, "${{") || strstr(text, "$${{"));
		for (size_t i = 0; t && i < WEFT_COUNT(values); i++) {
			weft_autostr struct weft_str out = {0};
			char *value = strdup(values[i]);

			weft_template_names(t, see, NULL);
			weft_template_single(t);
			if (weft_template_render(t, look_up, value, &out, &err))
				fuzz_refused(&err);
			free(value);
		}
		weft_arena_free(&arena);
	}
	return 0;
}
