/* bcast_had.c - which chunks of which files a killed broadcast has left
 *
 * Each node names what it has read again, by a digest of a file's path and identity:
 * so much as all of them have isn't sent again.  What only some have goes to all, which
 * costs no node more than it would have cost anyway. */
#include "stage/bcast.h"

#include <stdlib.h>
#include <string.h>

int bcast_had_key(unsigned char key[WEFT_DIGEST_BYTES], const char *path,
	const struct stage_id *id)
{
	return bcast_entry_digest(key, 'f', path, id);
}

struct bcast_had_file *bcast_had_find(
	const struct bcast_had *had, const unsigned char key[WEFT_DIGEST_BYTES])
{
	char hex[WEFT_DIGEST_HEX];
	size_t i;

	weft_digest_hex(key, hex);
	return weft_map_get(&had->map, hex, &i) ? &had->file[i] : NULL;
}

int bcast_had_add(struct bcast_had *had, const unsigned char key[WEFT_DIGEST_BYTES],
	uint64_t chunks)
{
	char hex[WEFT_DIGEST_HEX], *own;
	size_t found;

	weft_digest_hex(key, hex);
	if (weft_map_get(&had->map, hex, &found))
		return 1;
	own = weft_arena_strdup(&had->arena, hex);
	if (!own || weft_grow(had->file, had->n, had->cap) ||
		weft_map_add(&had->map, own, had->n, &found) < 0)
		return -1;
	had->file[had->n] = (struct bcast_had_file){.chunks = chunks, .nodes = 1};
	memcpy(had->file[had->n++].key, key, WEFT_DIGEST_BYTES);
	return 0;
}

void bcast_had_free(struct bcast_had *had)
{
	weft_map_free(&had->map);
	weft_arena_free(&had->arena);
	free(had->file);
	*had = (struct bcast_had){0};
}
