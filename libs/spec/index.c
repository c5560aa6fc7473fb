/* index.c - which members of a sweep have these values on these axes, where no grid
 * tells. */
#include <stdlib.h>

#include "spec/parse.h"

#define NONE SIZE_MAX

struct spec_index {
	struct spec_index *next; /* of other axes of the sweep */
	uint64_t axes;           /* a bit each */
	struct weft_map keys;    /* values as text -> place in first and last */
	struct weft_arena text;
	size_t *first, *last, cap_first, cap_last;
	size_t *link, n, cap; /* member -> the next with the same values */
};

void spec_index_free(struct spec_index *ix)
{
	while (ix) {
		struct spec_index *next = ix->next;

		weft_map_free(&ix->keys);
		weft_arena_free(&ix->text);
		free(ix->first);
		free(ix->last);
		free(ix->link);
		free(ix);
		ix = next;
	}
}

int spec_index_key(struct weft_str *key, const struct weft_value *v)
{
	/* Between two canonical texts nothing else has this byte. */
	weft_str_addc(key, '\x1f');
	return spec_canonical(key, v) || key->failed ? -1 : 0;
}

static int key_of(
	const struct weft_sweep *s, uint64_t axes, size_t member, struct weft_str *key)
{
	for (size_t a = 0; a < s->n_axes; a++) {
		struct weft_value v = {0};
		int bad;

		if (!(axes >> a & 1))
			continue;
		bad = spec_sweep_value(s, a, member, &v) || spec_index_key(key, &v);
		weft_value_clear(&v);
		if (bad)
			return -1;
	}
	return 0;
}

static int add(struct spec_index *ix, const struct weft_sweep *s, size_t member)
{
	weft_autostr struct weft_str key = {0};
	size_t at = ix->keys.n, n = at;
	const char *own;

	if (key_of(s, ix->axes, member, &key))
		return -1;
	if (weft_grow(ix->link, ix->n, ix->cap))
		return -1;
	if (!weft_map_get(&ix->keys, key.s ? key.s : "", &at)) {
		if (weft_grow(ix->first, n, ix->cap_first) ||
			weft_grow(ix->last, n, ix->cap_last) ||
			!(own = weft_arena_strdup(&ix->text, key.s ? key.s : "")) ||
			weft_map_add(&ix->keys, own, n, NULL) < 0)
			return -1;
		ix->first[n] = member;
	} else {
		ix->link[ix->last[at]] = member;
	}
	ix->last[at] = member;
	ix->link[ix->n++] = NONE;
	return 0;
}

int spec_index_each(struct spec_index **all, const struct weft_sweep *s, uint64_t axes,
	const char *key, size_t below, int (*f)(void *ctx, size_t member), void *ctx)
{
	struct spec_index *ix = *all;
	size_t known = s->fixed + spec_rows_count(s->rows), at;

	while (ix && ix->axes != axes)
		ix = ix->next;
	if (!ix) {
		ix = calloc(1, sizeof(*ix));
		if (!ix)
			return -1;
		ix->axes = axes;
		ix->next = *all;
		*all = ix;
	}
	while (ix->n < known)
		if (add(ix, s, ix->n))
			return -1;
	if (!weft_map_get(&ix->keys, key, &at))
		return 0;
	for (size_t m = ix->first[at]; m != NONE && m < below; m = ix->link[m]) {
		int rc = f(ctx, m);

		if (rc)
			return rc;
	}
	return 0;
}
