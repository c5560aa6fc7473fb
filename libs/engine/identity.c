/* identity.c - what a member's inputs are, so that a change of them is noticed */
#include "engine/unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH 16
#define ENTRIES 100000 /* of a folder: those beyond are trusted */

static void add(struct weft_hasher *h, const char *s)
{
	weft_hasher_add(h, s, strlen(s) + 1);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_path(struct weft_hasher *h, const char *path, int depth, size_t *left);

/* What is in a folder, in the order of names. */
static void add_folder(struct weft_hasher *h, const char *path, int depth, size_t *left)
{
	DIR *d = opendir(path);
	char **name = NULL;
	size_t n = 0, cap = 0;

	for (struct dirent *e; d && n < *left && (e = readdir(d));)
		if (!weft_streq(e->d_name, ".") && !weft_streq(e->d_name, "..") &&
			weft_grow(name, n, cap) == 0 && (name[n] = strdup(e->d_name)))
			n++;
	if (d)
		closedir(d);
	*left -= n;
	if (n)
		qsort(name, n, sizeof(*name), by_name);
	for (size_t i = 0; i < n; i++) {
		weft_autofree char *below = weft_path_join(path, name[i]);

		add(h, name[i]);
		if (below)
			add_path(h, below, depth - 1, left);
		free(name[i]);
	}
	free(name);
}

/* By size and time of change, as make does: reading all of it again would take as long
 * as the run. */
static void add_path(struct weft_hasher *h, const char *path, int depth, size_t *left)
{
	char text[96];
	struct stat st;

	if (stat(path, &st)) {
		add(h, "-");
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		add(h, "d");
		if (depth)
			add_folder(h, path, depth, left);
		return;
	}
	snprintf(text, sizeof(text), "%jd %jd.%09ld", (intmax_t)st.st_size,
		(intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	add(h, text);
}

void identity_of(const char *path, char digest[WEFT_DIGEST_HEX])
{
	struct weft_hasher *h = weft_hasher_new();
	size_t left = ENTRIES;

	*digest = '\0';
	if (!h)
		return;
	add_path(h, path, DEPTH, &left);
	weft_hasher_end(h, digest);
}

int inputs_identity(
	const struct unit *u, char digest[WEFT_DIGEST_HEX], struct weft_err *err)
{
	size_t left = ENTRIES;

	if (!u->n_inputs && !u->step->n_files)
		return 0;
	struct weft_hasher *h = weft_hasher_new();
	if (!h)
		return weft_err_nomem(err);
	add(h, digest);
	for (size_t i = 0; i < u->n_inputs; i++) {
		const struct unit_input *in = &u->input[i];

		add(h, in->def->name);
		for (size_t k = 0; k < in->n_sources; k++) {
			add(h, in->source[k].id ? in->source[k].id : "");
			add(h, in->source[k].path);
			add_path(h, in->source[k].path, DEPTH, &left);
		}
	}
	for (size_t i = 0; i < u->step->n_files; i++) {
		const struct weft_file *f = &u->step->file[i];
		weft_autofree char *text = NULL, *path = NULL;

		if (f->kind == WEFT_FILE_TEXT)
			continue; /* is of the definition */
		if (weft_scope_text(&u->scope, &f->value, &text, NULL) == 0)
			path = weft_path_absolute(u->e->wf->dir, text);
		if (path)
			add_path(h, path, DEPTH, &left);
	}
	weft_hasher_end(h, digest);
	return 0;
}

int weft_engine_digest(const struct weft_engine *e, const struct weft_step *step,
	size_t member, char own[WEFT_DIGEST_HEX], struct weft_err *err)
{
	struct unit u = {0};
	int r = unit_open(&u, e, step, member, err);

	if (!r)
		r = weft_record_digest(e->wf, step, &u.member, own, err);
	if (!r && (step->n_inputs || step->n_files))
		r = unit_node_roots(&u, err) || inputs_resolve(&u, err) ||
		    inputs_identity(&u, own, err);
	unit_close(&u);
	return r ? -1 : 0;
}
