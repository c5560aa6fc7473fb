/* fuzz_manifest.c - the record beside a copy: as it is, and with its head and its
 * digest made right, so that the lines between are read */
#include "stage/manifest.c"

#include "fuzz.h"

static void read_text(char *text, size_t n)
{
	struct stage_manifest *m = calloc(1, sizeof(*m));

	fuzz_must(m);
	m->text = text;
	if (parse(m, n)) {
		fuzz_must(m->n > 0);
		for (size_t i = 0; i < m->n; i++) {
			const struct stage_line *l = &m->line[i];

			fuzz_must(l->type && strchr("dfls", l->type));
			fuzz_must(l->name >= m->text && l->name <= m->text + n);
			fuzz_must(!l->target ||
				  (l->target > l->name && l->target <= m->text + n));
		}
	}
	stage_manifest_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *lines = fuzz_text(data, size);
	weft_autostr struct weft_str s = {0};
	char hex[WEFT_DIGEST_HEX];

	weft_str_printf(&s, "%s\nsource x\n%s\nend %032d ", HEAD, lines, 0);
	fuzz_must(!s.failed);
	weft_digest(s.s, s.len, hex);
	weft_str_printf(&s, "%s\n", hex);
	fuzz_must(!s.failed);
	size_t n = s.len;

	read_text(weft_str_take(&s), n);
	/* As read from a file: a NUL after it, and perhaps in it. */
	char *raw = calloc(size + 1, 1);

	fuzz_must(raw);
	if (size)
		memcpy(raw, data, size);
	read_text(raw, size);
	return 0;
}
