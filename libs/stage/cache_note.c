/* cache_note.c - what is written down of an entry */
#include "stage/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE_MAX (size_t)65536

/* The root hash says nothing of permissions. */
void cache_key(const struct stage_manifest *m, char key[CACHE_KEY])
{
	char hex[WEFT_DIGEST_HEX], word[8];
	struct weft_hasher *h = weft_hasher_new();

	for (size_t i = 0; h && i < m->n; i++) {
		int n = snprintf(
			word, sizeof(word), "%o ", (unsigned)(m->line[i].mode & 07777));

		weft_hasher_add(h, word, (size_t)n);
	}
	*hex = '\0';
	if (h)
		weft_hasher_end(h, hex);
	snprintf(key, CACHE_KEY, "%s.%.8s", m->hash, hex);
}

static int write_file(int dir, const char *name, const struct weft_str *text)
{
	weft_autofree char *tmp = weft_printf("%s.%ld", name, (long)getpid());
	weft_autoclose int fd = -1;

	if (!tmp || text->failed) {
		errno = ENOMEM;
		return -1;
	}
	unlinkat(dir, tmp, 0);
	fd = openat(
		dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (weft_write_all(fd, text->s, text->len) == 0 &&
		renameat(dir, tmp, dir, name) == 0)
		return 0;
	int sys = errno;

	unlinkat(dir, tmp, 0);
	errno = sys;
	return -1;
}

int cache_write_record(
	int dir, const char *name, const struct stage_manifest *m, struct weft_err *err)
{
	weft_autostr struct weft_str text = {0};
	char own[STAGE_MANIFEST_NAME];

	if (stage_manifest_text(m, &text, err) != 0)
		return -1;
	stage_manifest_name(name, own);
	return write_file(dir, own, &text) == 0
		       ? 0
		       : weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
}

void cache_remove_record(int dir, const char *name)
{
	char own[STAGE_MANIFEST_NAME];

	stage_manifest_name(name, own);
	unlinkat(dir, own, 0);
}

int cache_write_note(const struct weft_stage_cache *c, const char *key,
	const struct cache_note *note, struct weft_err *err)
{
	weft_autostr struct weft_str text = {0};

	weft_str_printf(&text, "bytes %llu\nfiles %llu\nboot %s\nsource ",
		(unsigned long long)note->bytes, (unsigned long long)note->files,
		note->boot);
	stage_escape(&text, note->source);
	weft_str_addc(&text, '\n');
	return write_file(c->u, key, &text) == 0
		       ? 0
		       : weft_err_sys(err, WEFT_ESTAGE, "the node's cache");
}

bool cache_read_note(int fd, struct cache_note *note)
{
	weft_autofree char *text = malloc(NOTE_MAX + 1);
	unsigned long long bytes, files;
	ssize_t n = text ? pread(fd, text, NOTE_MAX, 0) : -1;
	int at = 0;

	*note = (struct cache_note){0};
	if (n <= 0 || text[n - 1] != '\n')
		return false;
	text[n - 1] = '\0';
	if (sscanf(text, "bytes %llu\nfiles %llu\nboot %39s\nsource %n", &bytes, &files,
		    note->boot, &at) != 3 ||
		!at || !stage_unescape(text + at))
		return false;
	note->bytes = bytes;
	note->files = files;
	note->source = strdup(text + at);
	return note->source != NULL;
}

void cache_note_free(struct cache_note *note)
{
	free(note->source);
	note->source = NULL;
}
