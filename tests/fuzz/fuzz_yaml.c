/* fuzz_yaml.c - YAML: nodes that stand where they say; a quoted text reads the same */
#include "fuzz.h"
#include "yaml/yaml.h"

static size_t budget;

static void walk(const struct weft_yaml_node *n)
{
	if (!budget)
		return;
	budget--;
	fuzz_must(n->pos.line >= 1 && n->pos.col >= 1);
	if (n->kind == WEFT_YAML_SCALAR) {
		fuzz_must(strlen(n->text) == n->n);
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		if (n->kind == WEFT_YAML_MAP)
			walk(n->key[i]);
		walk(n->item[i]);
	}
}

static void quote(const char *text)
{
	weft_autostr struct weft_str s = {0};
	struct weft_yaml_doc *doc;

	weft_yaml_quote(&s, text);
	fuzz_must(weft_yaml_parse("q", s.s, s.len, &doc, NULL) == 0);
	if (weft_utf8_valid(text, strlen(text)))
		fuzz_must(strcmp(doc->root->text, text) == 0);
	weft_yaml_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_bytes(data, size), *s = fuzz_text(data, size);
	struct weft_yaml_doc *doc;
	struct weft_err err = {0};

	quote(s);
	if (weft_yaml_parse("f.yaml", text, size, &doc, &err)) {
		fuzz_must(!doc);
		fuzz_refused(&err);
		return 0;
	}
	budget = 100000;
	if (doc->root)
		walk(doc->root);
	weft_yaml_free(doc);
	return 0;
}
