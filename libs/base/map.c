#include "base/base.h"

#include <stdlib.h>
#include <string.h>

struct weft_map_slot {
	const char *key;
	size_t value;
	uint32_t hash;
};

static char fold(const struct weft_map *m, char c)
{
	return m->fold && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* FNV-1a, 32 bits. Source: the FNV reference, http://www.isthe.com/chongo/tech/comp/fnv
 */
static uint32_t hash(const struct weft_map *m, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (unsigned char)fold(m, *key)) * 16777619u;
	return h;
}

static bool same(const struct weft_map *m, const char *a, const char *b)
{
	for (; *a && fold(m, *a) == fold(m, *b); a++, b++)
		;
	return fold(m, *a) == fold(m, *b);
}

static struct weft_map_slot *find(const struct weft_map *m, const char *key, uint32_t h)
{
	size_t i = h & (m->cap - 1);

	while (m->slot[i].key &&
		!(m->slot[i].hash == h && same(m, m->slot[i].key, key)))
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

static int enlarge(struct weft_map *m)
{
	struct weft_map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slot = calloc(m->cap, sizeof(*m->slot));
	if (!m->slot) {
		*m = old;
		return -1;
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].key)
			*find(m, old.slot[i].key, old.slot[i].hash) = old.slot[i];
	free(old.slot);
	return 0;
}

int weft_map_add(struct weft_map *m, const char *key, size_t value, size_t *found)
{
	if (m->n * 4 >= m->cap * 3 && enlarge(m))
		return -1;
	uint32_t h = hash(m, key);
	struct weft_map_slot *s = find(m, key, h);
	if (s->key) {
		if (found)
			*found = s->value;
		return 0;
	}
	*s = (struct weft_map_slot){key, value, h};
	m->n++;
	return 1;
}

bool weft_map_get(const struct weft_map *m, const char *key, size_t *value)
{
	if (!m->cap)
		return false;
	const struct weft_map_slot *s = find(m, key, hash(m, key));
	if (s->key && value)
		*value = s->value;
	return s->key != NULL;
}

void weft_map_free(struct weft_map *m)
{
	free(m->slot);
	*m = (struct weft_map){.fold = m->fold};
}
