/* copy.c - one transfer from its beginning to its end */
#include "stage/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

int stage_job_init(struct stage_job *job, const struct weft_stage_options *opt,
	const char *src, struct weft_err *err)
{
	struct rlimit files;

	job->opt = opt;
	job->src = src;
	job->in = job->out = -1;
	job->umask = stage_umask();
	/* Most of the process's descriptors are for others. */
	job->few =
		getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 < STAGE_FEW
			? (size_t)files.rlim_cur / 4
			: STAGE_FEW;
	job->start = weft_monotonic();
	clock_gettime(CLOCK_REALTIME_COARSE, &job->started);
	pthread_mutex_init(&job->lock, NULL);
	job->pool = stage_pool_new();
	if (job->pool)
		return 0;
	return weft_err_nomem(err);
}

void stage_job_free(struct stage_job *job)
{
	stage_flush_end(job);
	for (size_t i = 0; i < job->n_kept; i++)
		close(job->kept[i]);
	stage_resume_close(job);
	stage_pool_free(job->pool);
	weft_map_free(&job->links);
	weft_arena_free(&job->arena);
	weft_err_clear(&job->err);
	free(job->first);
	free(job->link);
	free(job->entry);
	if (job->in >= 0)
		close(job->in);
	if (job->out >= 0)
		close(job->out);
	pthread_mutex_destroy(&job->lock);
}

static void strategy(const struct stage_job *job, struct weft_stage_report *r)
{
	unsigned kinds = (job->cloned > 0) + (job->linked > 0) + (job->served > 0) +
			 (job->streamed > 0);

	r->strategy = "copy";
	r->why = job->opt->how == WEFT_STAGE_STREAM
			 ? "asked for"
			 : "the file systems can't share blocks between the two";
	if (kinds > 1) {
		r->strategy = "mixed";
		r->why = "not all files could be shared";
	} else if (job->cloned) {
		r->strategy = "reflink";
		r->why = "one file system, which shares the blocks";
	} else if (job->linked) {
		r->strategy = "hard link";
		r->why = "one file system, for reading only";
	} else if (job->served) {
		r->strategy = "server copy";
		r->why = "the file system copies by itself";
	}
}

void stage_job_report(struct stage_job *job, struct weft_stage_report *r)
{
	r->bytes = job->bytes;
	r->moved = job->moved;
	r->files = job->files;
	r->folders = job->n_folders;
	r->resumed = job->resumed;
	r->retries = job->retries;
	r->skipped = job->skipped;
	r->owners = job->owners;
	r->dropped = job->dropped;
	strategy(job, r);
}

/* "No space" says how much is missing. */
static void explain_space(const char *src, const char *dst, struct weft_err *err)
{
	char need[WEFT_UNIT_MAX], have[WEFT_UNIT_MAX];
	uint64_t bytes, files, left, inodes;
	int sys = err->sys;

	if (weft_starts_with(err->text, "no space for "))
		return; /* it was known before */
	if ((sys != ENOSPC && sys != EDQUOT) ||
		weft_stage_measure(src, &bytes, &files, NULL) != 0 ||
		weft_stage_space(dst, &left, &inodes, NULL) != 0)
		return;
	weft_format_size(need, bytes);
	weft_format_size(have, left);
	weft_err_set(err, WEFT_ESTAGE, "no space for %s: %s needed, %s left%s", dst,
		need, have,
		sys == EDQUOT                  ? ", and the quota is used up"
		: files + 1 > inodes && inodes ? ", and too few inodes"
					       : "");
	err->sys = sys;
	weft_err_hint(err, "free some, or stage to another place");
}

/* Is the folder `at` in the one that st is, or the same? */
static bool is_in(int at, const struct stat *st)
{
	struct stat here, up;
	int fd = dup(at), next;
	bool found = false;

	for (unsigned i = 0; fd >= 0 && !found && i < 1U << 20; i++) {
		if (fstat(fd, &here) != 0)
			break;
		found = here.st_ino == st->st_ino && here.st_dev == st->st_dev;
		next = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
		if (fd < 0 || fstat(fd, &up) != 0 ||
			(up.st_ino == here.st_ino && up.st_dev == here.st_dev))
			break;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* One copy, with what it is told by. */
struct copy {
	const char *src;
	const struct weft_stage_options *opt;
	struct stage_target t;
	struct stage_job job;
	struct stat source;
	bool folder, part;
	struct weft_err *err;
};

static int refuse(const struct copy *c, const char *what)
{
	return weft_err_set(c->err, WEFT_ESTAGE, "%s: %s", what, c->src);
}

static int open_source(struct copy *c)
{
	struct stat *st = &c->source, now;

	/* Looked at before it is opened: opening a device can mean something. */
	if (stat(c->src, st) != 0)
		return weft_err_sys(c->err, WEFT_ESTAGE, "%s", c->src);
	c->folder = S_ISDIR(st->st_mode);
	if (!c->folder && !S_ISREG(st->st_mode))
		return weft_err_set(c->err, WEFT_ESTAGE,
			"%s is %s: only files and folders are staged", c->src,
			stage_kind(st->st_mode));
	c->job.in_dev = st->st_dev;
	c->job.tree = c->folder;
	if (!c->folder) {
		c->job.in = AT_FDCWD;
		return 0;
	}
	c->job.in = open(c->src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->job.in < 0 || fstat(c->job.in, &now) != 0)
		return weft_err_sys(c->err, WEFT_ESTAGE, "%s", c->src);
	*st = now;
	if (is_in(c->t.fd, st))
		return refuse(c, "the copy would be inside of what is copied");
	return 0;
}

/* What has the final name now.  1: it is this very copy. */
static int check_final(struct copy *c, struct weft_stage_report *report)
{
	struct weft_stage_report seen = {0};
	struct stage_manifest *m;
	struct stat st;
	int rc = 0;

	if (fstatat(c->t.fd, c->t.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
			       ? 0
			       : weft_err_sys(c->err, WEFT_ESTAGE, "%s", c->t.dst);
	if (st.st_ino == c->source.st_ino && st.st_dev == c->source.st_dev &&
		(c->folder || c->opt->replace))
		return refuse(c, "source and destination are the same");
	m = c->opt->manifest ? stage_manifest_read(c->t.fd, c->t.name) : NULL;
	if (m && stage_manifest_holds(m, c->src, c->t.fd, c->t.name, &seen)) {
		*report = seen;
		stage_manifest_hash(m, report->hash);
		report->strategy = "already there";
		report->why = "source and copy are as the record says";
		rc = 1;
	} else if (!c->opt->replace) {
		rc = stage_target_taken(&c->t, c->err);
	} else if (S_ISDIR(st.st_mode)) {
		weft_autofree char *up = weft_path_join(c->src, c->folder ? "." : "..");
		weft_autofree char *copy = strdup(c->src);
		char *slash = copy ? strrchr(copy, '/') : NULL;
		weft_autoclose int fd = -1;

		if (!c->folder && slash)
			slash[slash == copy] = '\0';
		fd = open(c->folder ? up : slash ? copy : ".", O_PATH | O_CLOEXEC);
		if (!up || !copy || fd < 0 || is_in(fd, &st))
			rc = refuse(
				c, "the source is inside of what would be replaced");
	}
	stage_manifest_free(m);
	return rc;
}

/* The top of the copy, which nobody else may enter before it is whole. */
static int open_top(struct copy *c, bool adopted)
{
	struct stage_target *t = &c->t;
	struct stat st;

	if (!c->folder) {
		c->job.out = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
		return c->job.out < 0 ? weft_err_nomem(c->err) : 0;
	}
	if (!adopted && mkdirat(t->fd, t->part, 0700) != 0)
		return weft_err_sys(c->err, WEFT_ESTAGE, "copying to %s", t->dst);
	c->part = true;
	c->job.out =
		openat(t->fd, t->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->job.out < 0 || fstat(c->job.out, &st) != 0)
		return weft_err_sys(c->err, WEFT_ESTAGE, "copying to %s", t->dst);
	if (!adopted)
		(void)!flock(c->job.out, LOCK_EX | LOCK_NB);
	if (c->opt->archive) {
		/* What it would inherit, and pass on, is not the source's. */
		(void)!fremovexattr(c->job.out, "system.posix_acl_access");
		(void)!fremovexattr(c->job.out, "system.posix_acl_default");
		(void)!fchmod(c->job.out, 0700);
	}
	c->job.out_dev = st.st_dev;
	c->job.out_ino = st.st_ino;
	return 0;
}

static int run(struct copy *c, bool adopted, unsigned *threads)
{
	struct stage_worker w = {.job = &c->job};
	struct stage_folder *top = stage_folder_new(&w, NULL, "");

	if (!top) {
		weft_err_move(c->err, &w.err);
		return -1;
	}
	top->was_there = adopted;
	if (!c->folder) {
		top->in = AT_FDCWD;
		top->out = c->job.out;
		c->part = true;
	}
	if (stage_pool_run(&c->job, top, c->folder ? NULL : c->src,
		    c->folder ? NULL : c->t.part, threads) == 0)
		return 0;
	weft_err_move(c->err, &c->job.err);
	return -1;
}

static int make_record(
	struct copy *c, struct weft_stage_report *report, struct weft_str *text)
{
	weft_autofree char *real = realpath(c->src, NULL);

	return stage_manifest_make(
		&c->job, real ? real : c->src, report->hash, text, c->err);
}

/* The record is there before the copy has its name, for it says what that is; with the
 * copy it is made durable. */
static int write_record(struct copy *c, struct weft_stage_report *report)
{
	const struct stage_target *t = &c->t;
	weft_autostr struct weft_str text = {0};
	char name[STAGE_MANIFEST_NAME];
	int fd;

	if (make_record(c, report, &text) != 0)
		return -1;
	stage_manifest_name(t->name, name);
	unlinkat(t->fd, t->manifest, 0);
	fd = openat(t->fd, t->manifest,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		goto fail;
	if (weft_write_all(fd, text.s, text.len) != 0) {
		close(fd);
		goto fail;
	}
	if (stage_put_away(&c->job, fd) != 0)
		goto fail;
	if (stage_sync(&c->job, c->err) != 0 || stage_settle(&c->job, c->err) != 0)
		return -1;
	if (renameat(t->fd, t->manifest, t->fd, name) == 0)
		return 0;
fail:
	return weft_err_sys(c->err, WEFT_ESTAGE, "writing the record of %s", t->dst);
}

/* A single file's ctime is another once it has its name. */
static int renew_record(struct copy *c, struct weft_stage_report *report)
{
	struct stat st;

	if (c->folder)
		return 0;
	if (fstatat(c->t.fd, c->t.name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		st.st_ino != c->job.entry[0]->dst.ino)
		return 0; /* somebody else's already */
	c->job.entry[0]->dst = stage_id_of(&st);
	/* Where it was linked it is the source itself that has another ctime. */
	if (c->job.linked)
		c->job.entry[0]->src = c->job.entry[0]->dst;
	return write_record(c, report);
}

static int publish(struct copy *c, struct weft_stage_report *report)
{
	const struct weft_stage_options *opt = c->opt;
	char name[STAGE_MANIFEST_NAME];

	if (opt->text) {
		weft_str_free(opt->text);
		*opt->text = (struct weft_str){0};
		if (make_record(c, report, opt->text) != 0)
			return -1;
	}
	if (opt->manifest) {
		/* Another call's copy keeps its record. */
		if (!opt->replace &&
			faccessat(c->t.fd, c->t.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return stage_target_taken(&c->t, c->err);
		if (write_record(c, report) != 0)
			return -1;
	} else {
		if (stage_sync(&c->job, c->err) != 0 ||
			(opt->text && stage_settle(&c->job, c->err) != 0))
			return -1;
		stage_manifest_name(c->t.name, name);
		if (opt->replace)
			unlinkat(c->t.fd, name, 0);
	}
	if (stage_target_publish(&c->t, c->folder, opt->replace,
		    opt->durable == WEFT_STAGE_FULL, c->err) != 0)
		return -1;
	c->part = false;
	unlinkat(c->t.fd, c->t.journal, 0);
	return opt->manifest ? renew_record(c, report) : 0;
}

/* Known before the first byte, rather than when all are used up.  On one file system
 * blocks may be shared; and who wants what there is room for is to have it. */
static bool may_not_fit(const struct copy *c)
{
	struct stat st;

	return !c->opt->partial && fstat(c->t.fd, &st) == 0 &&
	       st.st_dev != c->job.in_dev;
}

static int copy(struct copy *c, const char *dst, struct weft_stage_report *report)
{
	bool adopted = false;
	int rc = stage_target_open(&c->t, dst, c->err);

	if (rc == 0)
		rc = open_source(c);
	if (rc == 0)
		rc = check_final(c, report);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	stage_target_clean(
		&c->t, c->opt->resume ? &c->job : NULL, &c->source, &adopted);
	if (c->opt->resume && !adopted &&
		stage_resume_open(&c->job, c->t.fd, c->t.journal, &c->source, false) !=
			0) {
		weft_err_move(c->err, &c->job.err);
		return -1;
	}
	c->job.record = c->opt->manifest || c->opt->text;
	if (!adopted && may_not_fit(c) && weft_stage_fits(c->src, dst, c->err) != 0)
		return -1;
	rc = open_top(c, adopted);
	if (rc == 0)
		rc = run(c, adopted, &report->threads);
	stage_job_report(&c->job, report);
	return rc == 0 ? publish(c, report) : -1;
}

static int copy_once(const char *src, const char *dst,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err, bool *again)
{
	struct copy c = {
		.src = src, .opt = opt, .err = err, .t = {.fd = -1, .lock = -1}};
	int rc = stage_job_init(&c.job, opt, src, err);

	if (rc == 0)
		rc = copy(&c, dst, report);
	if (report->moved)
		report->share =
			c.job.moving / (c.job.lived + weft_monotonic() - c.job.start);
	*again = c.job.folder_changed;
	if (rc != 0 && c.part) {
		if (opt->partial && c.job.resume && !*again)
			weft_err_hint(err, "what was copied is kept: the same command "
					   "goes on from there");
		else
			stage_target_remove(&c.t);
	}
	stage_job_free(&c.job);
	stage_target_close(&c.t);
	return rc;
}

int weft_stage_copy(const char *src, const char *dst,
	const struct weft_stage_options *opt, struct weft_stage_report *report,
	struct weft_err *err)
{
	double start = weft_monotonic();
	struct weft_stage_report own = {0};
	struct weft_err why = {0};
	bool again;
	int rc = copy_once(src, dst, opt, &own, &why, &again);

	/* Something came or went in a folder: once more from the beginning. */
	if (rc != 0 && again) {
		uint64_t retries = own.retries + 1;

		weft_err_clear(&why);
		own = (struct weft_stage_report){0};
		rc = copy_once(src, dst, opt, &own, &why, &again);
		own.retries += retries;
	}
	if (rc != 0 && !opt->partial)
		explain_space(src, dst, &why);
	own.seconds = weft_monotonic() - start;
	if (report)
		*report = rc == 0 ? own : (struct weft_stage_report){0};
	if (rc != 0 && err)
		weft_err_move(err, &why);
	weft_err_clear(&why);
	return rc;
}

/* Not synced: who runs the reader again after a crash makes it again, and a fan-in is
 * as many links as there are members. */
static int put_link(const char *src, const char *dst, struct weft_stage_report *report,
	struct weft_err *err)
{
	struct stage_target t = {.fd = -1, .lock = -1};
	weft_autofree char *to = realpath(src, NULL);
	int rc = -1;

	if (!to)
		weft_err_sys(err, WEFT_ESTAGE, "%s", src);
	else if (stage_target_open(&t, dst, err) != 0)
		rc = -1;
	else if (symlinkat(to, t.fd, t.name) != 0)
		errno == EEXIST ? stage_target_taken(&t, err)
				: weft_err_sys(err, WEFT_ESTAGE, "%s", dst);
	else
		rc = weft_stage_measure(to, &report->bytes, &report->files, err);
	report->strategy = "link";
	report->why = "for reading only, where it lies";
	stage_target_close(&t);
	return rc;
}

int weft_stage_put(const char *src, const char *dst, enum weft_stage_how how,
	struct weft_stage_report *report, struct weft_err *err)
{
	struct weft_stage_options opt = {.how = how,
		.durable = WEFT_STAGE_DATA,
		.writable = how == WEFT_STAGE_COPY};
	double start = weft_monotonic();
	struct weft_stage_report own = {0};
	int rc;

	if (how != WEFT_STAGE_LINK)
		return weft_stage_copy(src, dst, &opt, report, err);
	rc = put_link(src, dst, &own, err);
	own.seconds = weft_monotonic() - start;
	if (report)
		*report = rc == 0 ? own : (struct weft_stage_report){0};
	return rc;
}
