/* hashes.c - root hashes of what a member has read and made, for its record.
 *
 * Known is that of what was copied: of a link to an input, or of an output that got its
 * place by a hard link, nothing was read.  Nodes print theirs, the engine reads that.
 */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>

void hashes_add(struct unit *u, const char *what, const char *name, const char *hash)
{
	if (*hash)
		weft_str_printf(&u->hashes, "hash %s %s %s\n", what, name, hash);
}

void hashes_read(struct unit *u, const char *text)
{
	for (const char *p = text; p && *p;) {
		size_t n = strcspn(p, "\n");

		if (weft_starts_with(p, "hash ")) {
			weft_str_addn(&u->hashes, p, n);
			weft_str_addc(&u->hashes, '\n');
		}
		p += n + (p[n] == '\n');
	}
}

static char *hashes_find(struct unit *u, const char *what, const char *name)
{
	weft_autofree char *head = weft_printf("hash %s %s ", what, name);
	const char *found = NULL;
	size_t len = 0;

	for (const char *p = head ? u->hashes.s : NULL; p && *p;) {
		size_t n = strcspn(p, "\n");

		if (weft_starts_with(p, head)) {
			const char *hash = p + strlen(head);
			size_t k = n - strlen(head);

			/* Each node made a part of its own. */
			if (found && (k != len || memcmp(found, hash, k) != 0))
				return NULL;
			found = hash;
			len = k;
		}
		p += n + (p[n] == '\n');
	}
	if (!found || len >= WEFT_DIGEST_HEX)
		return NULL;
	char *own = weft_arena_alloc(&u->arena, len + 1);
	if (own)
		memcpy(own, found, len);
	return own;
}

void hashes_record(struct unit *u)
{
	struct weft_record *r = &u->record;

	r->input = calloc(u->n_inputs + 1, sizeof(*r->input));
	for (size_t i = 0; r->input && i < u->n_inputs; i++) {
		char *hash = hashes_find(u, "in", u->input[i].def->name);

		if (hash)
			r->input[r->n_inputs++] = (struct weft_record_input){
				(char *)u->input[i].def->name, hash};
	}
	for (size_t i = 0; i < r->n_outputs; i++)
		r->output[i].hash = hashes_find(u, "out", r->output[i].name);
}
