/* manifest.c - the record beside a copy: what it is a copy of, and its hashes.
 *
 * Text, a line a name: "d" opens a folder, "f" "l" "s" stand in the last one opened;
 * the last line has the root hash and a digest of all before, so that a record is
 * whole or none.  The root hash is of types, paths, sizes and data (of a link its
 * target): the same data has the same hash, wherever and whenever it was copied. */
#include "stage/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "weft-stage-manifest 1"
#define MAX_MANIFEST ((size_t)4 << 30)

void stage_manifest_name(const char *name, char out[STAGE_MANIFEST_NAME])
{
	char hex[WEFT_DIGEST_HEX];

	weft_digest(name, strlen(name), hex);
	snprintf(out, STAGE_MANIFEST_NAME, ".weft-manifest.%.40s.%.8s", name, hex);
}

/* A folder and its part of the entries. */
struct group {
	const struct stage_folder *dir;
	char *path;
	struct stage_entry **entry;
	size_t n;
};

/* Of an entry, with the beginning of its name: most are told apart without a look at
 * what lies elsewhere. */
struct key {
	const struct stage_folder *dir;
	uint64_t head;
	struct stage_entry *e;
};

static struct key key_of(struct stage_entry *e)
{
	uint64_t head = 0;

	for (size_t i = 0; i < sizeof(head) && e->name[i]; i++)
		head |= (uint64_t)(unsigned char)e->name[i] << (56 - 8 * i);
	return (struct key){e->dir, head, e};
}

static int by_folder(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	return strcmp(x->e->name, y->e->name);
}

static int sort_entries(struct stage_job *job)
{
	size_t n = job->n_entries;
	weft_autofree struct key *key = malloc((n + 1) * sizeof(*key));

	if (!key)
		return -1;
	for (size_t i = 0; i < n; i++)
		key[i] = key_of(job->entry[i]);
	qsort(key, n, sizeof(*key), by_folder);
	for (size_t i = 0; i < n; i++)
		job->entry[i] = key[i].e;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->dir < y->dir ? -1 : x->dir > y->dir;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->path, ((const struct group *)b)->path);
}

/* Folders by path, in each its entries by name. */
static struct group *sort(struct stage_job *job, size_t *n)
{
	struct group *g;
	size_t k = 0;

	*n = 0;
	for (const struct stage_folder *d = job->folders; d; d = d->older)
		++*n;
	g = sort_entries(job) == 0 ? calloc(*n + 1, sizeof(*g)) : NULL;
	if (!g)
		return NULL;
	for (const struct stage_folder *d = job->folders; d; d = d->older) {
		struct weft_str path = {0};

		stage_folder_path(d, &path);
		g[k].dir = d;
		g[k].path = weft_str_take(&path);
		if (!g[k++].path) {
			while (k-- > 0)
				free(g[k].path);
			free(g);
			return NULL;
		}
	}
	qsort(g, *n, sizeof(*g), by_address);
	for (size_t i = 0, at = 0; i < *n; i++) {
		g[i].entry = job->entry + at;
		while (at < job->n_entries && job->entry[at]->dir == g[i].dir)
			at++, g[i].n++;
	}
	qsort(g, *n, sizeof(*g), by_path);
	return g;
}

static void hash_word(struct weft_hasher *h, const char *s)
{
	weft_hasher_add(h, s, strlen(s) + 1);
}

static void hash_entry(
	struct weft_hasher *h, const char *path, const struct stage_entry *e, bool *all)
{
	const struct stage_sum *sum = e->same ? &e->same->sum : &e->sum;
	char head[24], *p = head + sizeof(head);
	uint64_t size = e->type == 'f' ? e->src.size : 0;

	*--p = '\0';
	do
		*--p = (char)('0' + size % 10);
	while (size /= 10);
	*--p = e->type;
	hash_word(h, p);
	hash_word(h, path);
	hash_word(h, e->name);
	if (e->type == 'f') {
		weft_hasher_add(h, sum->b, sizeof(sum->b));
		*all = *all && sum->known;
	} else {
		hash_word(h, e->target ? e->target : "");
	}
}

static void add_mode(struct weft_str *s, mode_t mode)
{
	char text[5], *p = text + sizeof(text);

	*--p = ' ';
	mode &= 07777;
	do
		*--p = (char)('0' + (mode & 7));
	while (mode >>= 3);
	weft_str_addn(s, p, (size_t)(text + sizeof(text) - p));
}

static void add_entry(struct weft_str *s, const struct stage_entry *e)
{
	const struct stage_entry *data = e->same ? e->same : e;
	char hex[WEFT_DIGEST_HEX];

	weft_str_addc(s, e->type);
	weft_str_addc(s, ' ');
	stage_write_sum(s, &data->sum);
	add_mode(s, e->mode);
	stage_write_id(s, &e->src);
	stage_write_id(s, &data->dst);
	stage_escape(s, e->name);
	if (e->target) {
		weft_str_addc(s, ' ');
		stage_escape(s, e->target);
	}
	weft_str_addc(s, '\n');
	if (!data->n_chunks)
		return;
	weft_str_printf(
		s, "c %llx", (unsigned long long)stage_chunk_of(data->src.size));
	for (uint64_t i = 0; i < data->n_chunks; i++) {
		weft_digest_hex(data->chunk[i], hex);
		weft_str_addc(s, ' ');
		weft_str_add(s, hex);
	}
	weft_str_addc(s, '\n');
}

static void add_group(struct weft_str *s, struct weft_hasher *h, const struct group *g,
	bool tree, bool *all)
{
	struct stage_id src = stage_id_of(&g->dir->st);

	if (tree) {
		weft_str_add(s, "d ");
		add_mode(s, g->dir->st.st_mode);
		stage_write_id(s, &src);
		stage_write_id(s, &g->dir->dst);
		stage_escape(s, g->path);
		weft_str_addc(s, '\n');
		hash_word(h, "d");
		hash_word(h, g->path);
	}
	for (size_t i = 0; i < g->n; i++) {
		add_entry(s, g->entry[i]);
		/* A single file has the same hash under any name. */
		if (tree)
			hash_entry(h, g->path, g->entry[i], all);
		else
			*all = *all && g->entry[i]->sum.known;
	}
}

static void add_head(struct weft_str *text, const char *source)
{
	weft_str_add(text, HEAD "\nsource ");
	stage_escape(text, source);
	weft_str_addc(text, '\n');
}

static void add_end(struct weft_str *text, const char *hash)
{
	char hex[WEFT_DIGEST_HEX] = "";

	weft_str_printf(text, "end %s ", hash);
	if (!text->failed)
		weft_digest(text->s, text->len, hex);
	weft_str_add(text, hex);
	weft_str_addc(text, '\n');
}

int stage_manifest_make(struct stage_job *job, const char *source,
	char hash[WEFT_DIGEST_HEX], struct weft_str *text, struct weft_err *err)
{
	struct weft_hasher *h = weft_hasher_new();
	bool all = true;
	size_t n;
	struct group *g = sort(job, &n);

	if (h && g) {
		add_head(text, source);
		for (size_t i = 0; i < n; i++)
			add_group(text, h, &g[i], job->tree, &all);
		weft_hasher_end(weft_steal(&h), hash);
		if (!job->tree && all)
			weft_digest_hex(job->entry[0]->sum.b, hash);
		if (!all)
			*hash = '\0';
		add_end(text, all ? hash : "-");
	}
	weft_hasher_free(h);
	for (size_t i = 0; g && i < n; i++)
		free(g[i].path);
	if (!g || text->failed) {
		free(g);
		return weft_err_nomem(err);
	}
	free(g);
	return 0;
}

static bool read_octal(char **at, mode_t *mode)
{
	char *p = *at;

	for (*mode = 0; *p >= '0' && *p <= '7'; p++)
		*mode = (mode_t)(*mode << 3 | (mode_t)(*p - '0'));
	if (p == *at || *p != ' ')
		return false;
	*at = p + 1;
	return true;
}

/* A line of the record; "c" says nothing that a reader of the whole needs. */
static bool read_line(struct stage_manifest *m, char *line)
{
	struct stage_line l = {.type = *line};
	char *at = line + 2, *blank;

	if (*line == 'c')
		return true;
	if (!strchr("dfls", *line) || line[1] != ' ' ||
		(l.type != 'd' && !stage_read_sum(&at, &l.sum)) ||
		!read_octal(&at, &l.mode) || !stage_read_id(&at, &l.src) ||
		!stage_read_id(&at, &l.dst))
		return false;
	blank = strchr(at, ' ');
	if (blank)
		*blank++ = '\0';
	if (!stage_unescape(at) || (blank && !stage_unescape(blank)))
		return false;
	l.name = at;
	l.target = blank;
	if (weft_grow(m->line, m->n, m->cap) != 0)
		return false;
	m->line[m->n++] = l;
	return true;
}

static bool read_source(struct stage_manifest *m, char *line)
{
	if (!weft_starts_with(line, "source "))
		return false;
	m->source = line + 7;
	return stage_unescape(line + 7);
}

/* Splits off and checks "end HASH DIGEST". */
static bool read_end(struct stage_manifest *m, size_t n)
{
	char hex[WEFT_DIGEST_HEX], *last, *space;
	size_t len;

	if (n < 40 || m->text[n - 1] != '\n' || strlen(m->text) != n)
		return false;
	m->text[n - 1] = '\0';
	last = strrchr(m->text, '\n');
	space = last ? strrchr(last, ' ') : NULL;
	if (!space || !weft_starts_with(last, "\nend "))
		return false;
	len = (size_t)(space + 1 - m->text);
	weft_digest(m->text, len, hex);
	if (strcmp(hex, space + 1) != 0)
		return false;
	*space = *last = '\0';
	if (strlen(last + 5) == WEFT_DIGEST_HEX - 1)
		memcpy(m->hash, last + 5, WEFT_DIGEST_HEX);
	return true;
}

static bool parse(struct stage_manifest *m, size_t n)
{
	char *next, *line;

	if (!read_end(m, n))
		return false;
	line = m->text;
	for (unsigned i = 0; line; line = next, i++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (i == 0       ? strcmp(line, HEAD) != 0
			: i == 1 ? !read_source(m, line)
				 : !read_line(m, line))
			return false;
	}
	return m->n > 0;
}

struct stage_manifest *stage_manifest_read(int dir, const char *name)
{
	char own[STAGE_MANIFEST_NAME];
	struct stage_manifest *m = calloc(1, sizeof(*m));
	weft_autoclose int fd = -1;
	struct stat st;
	size_t n;

	stage_manifest_name(name, own);
	fd = openat(dir, own, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* Another user's word isn't taken. */
	if (m && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(st.st_uid == geteuid() || st.st_uid == 0) &&
		weft_read_fd(fd, own, MAX_MANIFEST, &m->text, &n, NULL) == 0 &&
		parse(m, n))
		return m;
	stage_manifest_free(m);
	return NULL;
}

struct stage_manifest *stage_manifest_parse(const char *text, size_t n)
{
	struct stage_manifest *m = calloc(1, sizeof(*m));

	if (m && (m->text = strndup(text, n)) != NULL && parse(m, strlen(m->text)))
		return m;
	stage_manifest_free(m);
	return NULL;
}

int stage_manifest_text(
	const struct stage_manifest *m, struct weft_str *text, struct weft_err *err)
{
	add_head(text, m->source);
	for (size_t i = 0; i < m->n; i++) {
		const struct stage_line *l = &m->line[i];

		weft_str_addc(text, l->type);
		weft_str_addc(text, ' ');
		if (l->type != 'd')
			stage_write_sum(text, &l->sum);
		add_mode(text, l->mode);
		stage_write_id(text, &l->src);
		stage_write_id(text, &l->dst);
		stage_escape(text, l->name);
		if (l->target) {
			weft_str_addc(text, ' ');
			stage_escape(text, l->target);
		}
		weft_str_addc(text, '\n');
	}
	add_end(text, *m->hash ? m->hash : "-");
	return text->failed ? weft_err_nomem(err) : 0;
}

void stage_manifest_free(struct stage_manifest *m)
{
	if (!m)
		return;
	free(m->line);
	free(m->text);
	free(m);
}

void stage_manifest_hash(const struct stage_manifest *m, char hash[WEFT_DIGEST_HEX])
{
	memcpy(hash, m->hash, WEFT_DIGEST_HEX);
}
