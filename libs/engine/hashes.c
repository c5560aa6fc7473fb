/* hashes.c - root hashes of what a member has read and made, for its record.
 *
 * Known is that of what was copied: of a link to an input, or of an output that got its
 * place by a hard link, nothing was read.  Nodes print theirs, the engine takes that.
 *
 * A copy of what another member made must have the hash that its record names: between
 * the two somebody else may have written, or a disk may have lost some of it.  Whoever
 * replaces an output on purpose does so before a run is resumed, and it looks another
 * then: that is resume's to judge, by the same sizes and times.
 */
#include "engine/unit.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN "-"

void hashes_add(struct unit *u, const char *what, const char *name, const char *hash)
{
	weft_str_printf(
		&u->hashes, "hash %s %s %s\n", what, name, *hash ? hash : UNKNOWN);
}

/* Replaced on purpose? */
static bool replaced(const struct unit *u, const struct unit_source *s)
{
	weft_autofree char *resumed = weft_claimed_by(u->e->run, "resume_1");
	char now[WEFT_DIGEST_HEX];

	if (!resumed)
		return false;
	identity_of(s->path, now);
	return !weft_streq(now, s->identity);
}

int hashes_check(const struct unit *u, const struct unit_input *in,
	const struct unit_source *s, const char *hash, struct weft_err *err)
{
	if (!s->hash || !*hash || weft_streq(hash, s->hash) || replaced(u, s))
		return 0;
	weft_err_set(err, WEFT_ESTAGE,
		"input '%s': %s isn't what %s made as its output '%s': its root hash "
		"is "
		"%s, and %s in the record",
		in->def->name, s->path, s->of, s->output, hash, s->hash);
	return weft_err_hint(err,
		"it was changed since: remove it, and `weft resume` makes it again; "
		"where that was meant, touch it, and `weft resume` takes it as it is");
}

int hashes_check_all(
	const struct unit *u, const struct unit_input *in, struct weft_err *err)
{
	weft_autofree char *head = weft_printf("hash in %s ", in->def->name);
	int r = head ? 0 : weft_err_nomem(err);

	for (const char *p = u->hashes.s; r == 0 && p && *p;) {
		size_t n = strcspn(p, "\n");

		if (weft_starts_with(p, head) && p[strlen(head)] != *UNKNOWN) {
			weft_autofree char *hash =
				strndup(p + strlen(head), n - strlen(head));

			r = hash ? hashes_check(u, in, &in->source[0], hash, err)
				 : weft_err_nomem(err);
		}
		p += n + (p[n] == '\n');
	}
	return r;
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
	if (!found || len >= WEFT_DIGEST_HEX || memcmp(found, UNKNOWN, 1) == 0)
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
	for (size_t i = 0; i < r->n_outputs; i++) {
		struct weft_record_output *o = &r->output[i];

		o->hash = hashes_find(u, "out", o->name);
		o->identity =
			o->hash ? weft_arena_alloc(&u->arena, WEFT_DIGEST_HEX) : NULL;
		if (o->identity)
			identity_of(o->path, o->identity);
	}
}
