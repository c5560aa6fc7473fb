/* resume.c - the append-only journal beside a temporary, and going on from it.
 *
 * A line a file or chunk that was written, with the source's identity, the hash, and a
 * check of the line itself: one that was cut off counts for nothing.  What it says is
 * never taken on trust: before bytes are left out, those that are there are read and
 * must have this hash. */
#include "stage/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Noted at once when it stands for so much, or is that long. */
#define FLUSH_BYTES ((uint64_t)STAGE_NOTE)
#define FLUSH_NOTE ((size_t)64 << 10)
#define MAX_JOURNAL ((size_t)1 << 30)

struct note {
	const char *path; /* escaped */
	uint64_t chunk;   /* as in its line */
	uint64_t len;
	struct stage_id id;
	struct stage_sum sum;
};

struct stage_resume {
	int dir, fd; /* -1: nothing was noted yet */
	char *name, *header;
	pthread_mutex_t lock;
	bool broken; /* can't be written: the copy goes on without */
	/* Of a killed call. */
	struct weft_map map; /* "CHUNK PATH" -> note */
	struct note *note;
	size_t n, cap;
	struct weft_arena arena;
};

static void add_line(struct weft_str *s, size_t from)
{
	char hex[WEFT_DIGEST_HEX];

	if (s->failed)
		return;
	weft_digest(s->s + from, s->len - from, hex);
	weft_str_addn(s, hex, 8);
	weft_str_addc(s, '\n');
}

static bool check_line(char *line)
{
	char hex[WEFT_DIGEST_HEX], *end = strrchr(line, ' ');

	if (!end || strlen(end + 1) != 8)
		return false;
	weft_digest(line, (size_t)(end + 1 - line), hex);
	if (strncmp(hex, end + 1, 8) != 0)
		return false;
	*end = '\0';
	return true;
}

/* "CHUNK LENGTH ID HASH PATH"; chunk 0 is a whole file, i + 1 its chunk i. */
static int read_line(struct stage_resume *r, char *line)
{
	struct note note;
	uint64_t chunk;
	size_t found;
	char *key;
	int got;

	if (!check_line(line) || !stage_read_hex(&line, &chunk) ||
		!stage_read_hex(&line, &note.len) || !stage_read_id(&line, &note.id) ||
		!stage_read_sum(&line, &note.sum))
		return 0;
	key = weft_arena_printf(&r->arena, "%llx %s", (unsigned long long)chunk, line);
	if (!key || weft_grow(r->note, r->n, r->cap) != 0)
		return -1;
	got = weft_map_add(&r->map, key, r->n, &found);
	if (got < 0)
		return -1;
	note.chunk = chunk;
	note.path = strchr(key, ' ') + 1;
	if (got == 0)
		r->note[found] = note; /* more of it, or anew */
	else
		r->note[r->n++] = note;
	return 0;
}

/* true: there is one, for just this source. */
static bool read_journal(struct stage_resume *r)
{
	weft_autofree char *text = NULL;
	weft_autoclose int fd =
		openat(r->dir, r->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *save = NULL, *line;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
		weft_read_fd(fd, r->name, MAX_JOURNAL, &text, NULL, NULL) != 0)
		return false;
	line = strtok_r(text, "\n", &save);
	if (!line || !check_line(line) || strcmp(line, r->header) != 0)
		return false;
	while ((line = strtok_r(NULL, "\n", &save)))
		if (read_line(r, line) != 0)
			return false;
	return true;
}

static char *header(const struct stage_job *job, const struct stat *st)
{
	/* A copy of another kind is not gone on with. */
	return weft_printf("weft-stage-journal 1 %llx %llx %d%d%d%d",
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		job->opt->archive, job->opt->writable, (int)job->opt->how,
		(int)job->opt->special);
}

int stage_resume_open(struct stage_job *job, int dir, const char *journal,
	const struct stat *source, bool adopt)
{
	struct stage_resume *r = calloc(1, sizeof(*r));

	if (!r)
		return weft_err_nomem(&job->err);
	pthread_mutex_init(&r->lock, NULL);
	r->dir = dir;
	r->fd = -1;
	r->name = strdup(journal);
	r->header = header(job, source);
	job->resume = r;
	if (!r->name || !r->header) {
		stage_resume_close(job);
		return weft_err_nomem(&job->err);
	}
	if (adopt && !read_journal(r)) {
		stage_resume_close(job);
		return 1;
	}
	return 0;
}

void stage_resume_close(struct stage_job *job)
{
	struct stage_resume *r = weft_steal(&job->resume);

	if (!r)
		return;
	weft_closep(&r->fd);
	pthread_mutex_destroy(&r->lock);
	weft_map_free(&r->map);
	weft_arena_free(&r->arena);
	free(r->note);
	free(r->name);
	free(r->header);
	free(r);
}

void stage_resume_each(const struct stage_job *job,
	void (*f)(void *arg, const char *path, const struct stage_id *id), void *arg)
{
	const struct stage_resume *r = job->resume;

	for (size_t i = 0; r && i < r->n; i++) {
		const struct note *n = &r->note[i];
		weft_autofree char *path = n->chunk < 2 ? strdup(n->path) : NULL;

		if (path && stage_unescape(path))
			f(arg, path, &n->id);
	}
}

bool stage_resume_has(const struct stage_job *job)
{
	return job->resume && job->resume->n > 0;
}

static void add_path(struct weft_str *s, const struct stage_file *f)
{
	weft_autostr struct weft_str path = {0};

	stage_folder_path(f->dir, &path);
	if (path.len)
		weft_str_addc(&path, '/');
	weft_str_add(&path, f->name);
	if (path.failed)
		s->failed = true;
	else
		stage_escape(s, path.s);
}

const unsigned char *stage_resume_find(struct stage_worker *w,
	const struct stage_file *f, int64_t chunk, uint64_t *len)
{
	struct stage_resume *r = w->job->resume;
	weft_autostr struct weft_str key = {0};
	struct stage_id id = stage_id_of(&f->st);
	size_t i;

	if (!r || r->n == 0)
		return NULL;
	weft_str_printf(&key, "%llx ", (unsigned long long)(chunk + 1));
	add_path(&key, f);
	if (key.failed || !weft_map_get(&r->map, key.s, &i) ||
		!stage_id_same(&r->note[i].id, &id) || !r->note[i].sum.known)
		return NULL;
	*len = r->note[i].len;
	return r->note[i].sum.b;
}

void stage_resume_note(struct stage_worker *w, const struct stage_file *f,
	int64_t chunk, uint64_t len, const unsigned char *sum)
{
	struct stage_id id = stage_id_of(&f->st);
	struct stage_sum known = {.known = true};
	size_t from = w->note.len;

	if (!w->job->resume || !sum)
		return;
	memcpy(known.b, sum, sizeof(known.b));
	stage_write_hex(&w->note, (uint64_t)(chunk + 1));
	stage_write_hex(&w->note, len);
	stage_write_id(&w->note, &id);
	stage_write_sum(&w->note, &known);
	add_path(&w->note, f);
	weft_str_addc(&w->note, ' ');
	add_line(&w->note, from);
	w->note_bytes += len;
	if (chunk >= 0 || w->note_bytes >= FLUSH_BYTES || w->note.len >= FLUSH_NOTE)
		stage_resume_flush(w);
}

int stage_resume_rename(struct stage_job *job, const char *journal)
{
	char *name = strdup(journal);

	if (!name)
		return -1;
	free(job->resume->name);
	job->resume->name = name;
	return 0;
}

static bool begin(struct stage_resume *r)
{
	weft_autostr struct weft_str s = {0};

	if (r->fd >= 0 || r->broken)
		return !r->broken;
	r->fd = openat(r->dir, r->name,
		O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->fd >= 0 && r->n > 0)
		return true; /* the killed call's goes on */
	weft_str_add(&s, r->header);
	weft_str_addc(&s, ' ');
	add_line(&s, 0);
	r->broken = r->fd < 0 || s.failed || weft_write_all(r->fd, s.s, s.len) != 0;
	return !r->broken;
}

void stage_resume_flush(struct stage_worker *w)
{
	struct stage_resume *r = w->job->resume;

	if (!r || !w->note.len)
		return;
	pthread_mutex_lock(&r->lock);
	/* A journal that is full costs only the going on. */
	if (!w->note.failed && begin(r) &&
		weft_write_all(r->fd, w->note.s, w->note.len) != 0)
		r->broken = true;
	pthread_mutex_unlock(&r->lock);
	w->note.len = 0;
	w->note_bytes = 0;
}
