/*
 * others - what the tasks of other steps on this node have, from the notes in their
 * environments.
 *
 * A note is its user's to forge: whoever does so keeps a later step of his own off
 * CPUs that he could leave alone anyway.  Only this user's processes are looked at.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/env.h"

#define ENVIRON_MAX (1u << 20)

struct scan {
	const char *by;
	const struct weft_note *ancestor;
	bool slurm;
	char host[72]; /* nodes of a test cluster share a kernel */
	char *text;    /* an environment: ENVIRON_MAX bytes and an end */
	struct weft_others *o;
	bool followed;
	struct weft_note own; /* of a task of our own step */
};

static const char *variable(const char *text, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; p < text + n; p += strlen(p) + 1)
		if (!strncmp(p, name, len) && p[len] == '=')
			return p + len + 1;
	return NULL;
}

/* "77.0" and "77.1" are of one job. */
static bool same_job(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return n && a[n] == '.' && !strncmp(a, b, n + 1);
}

void weft_bind_add_others(struct weft_others *o, const char *gpus)
{
	for (const char *p = gpus; *p;) {
		size_t n = strcspn(p, ",");
		bool known =
			!n || n >= sizeof(o->gpu[0]) || o->n_gpus == WEFT_COUNT(o->gpu);
		for (size_t i = 0; i < o->n_gpus && !known; i++)
			known = !strncmp(o->gpu[i], p, n) && !o->gpu[i][n];
		if (!known)
			memcpy(o->gpu[o->n_gpus++], p, n);
		p += n + (p[n] == ',');
	}
}

static void add(struct scan *s, const struct weft_note *note)
{
	if (weft_streq(note->by, s->by)) {
		s->own = *note;
		s->followed = true;
		return;
	}
	if (s->ancestor && weft_streq(note->by, s->ancestor->by))
		return;
	if (s->slurm && !same_job(s->by, note->by))
		return;
	for (size_t w = 0; w < WEFT_CPU_WORDS; w++)
		s->o->cpus.w[w] |= note->cpus.w[w];
	weft_bind_add_others(s->o, note->gpus);
}

static void look(struct scan *s, int proc, const char *pid)
{
	char path[32];
	struct stat st;
	struct weft_note note;
	ssize_t got;
	size_t n = 0;

	if (strlen(pid) > 10 || fstatat(proc, pid, &st, 0) || st.st_uid != geteuid())
		return;
	snprintf(path, sizeof(path), "%.10s/environ", pid);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (n < ENVIRON_MAX && (got = read(fd, s->text + n, ENVIRON_MAX - n)) > 0)
		n += (size_t)got;
	close(fd);
	s->text[n] = '\0';
	const char *text = variable(s->text, n, WEFT_PLACED_ENV);
	if (!text || !weft_bind_read_note(text, &note))
		return;
	if (weft_streq(note.host, s->host))
		add(s, &note);
}

void weft_bind_find_others(
	const char *by, const struct weft_note *ancestor, struct weft_others *o)
{
	weft_autofree char *text = malloc(ENVIRON_MAX + 1);
	struct scan s = {.by = by,
		.ancestor = ancestor,
		.slurm = !strchr(by, ':'),
		.text = text,
		.o = o};
	DIR *d = text ? opendir("/proc") : NULL;
	char self[16];

	memset(o, 0, sizeof(*o));
	weft_bind_host(s.host, sizeof(s.host));
	snprintf(self, sizeof(self), "%d", (int)getpid());
	for (const struct dirent *e; d && (e = readdir(d));)
		if (isdigit((unsigned char)*e->d_name) && !weft_streq(e->d_name, self))
			look(&s, dirfd(d), e->d_name);
	if (d)
		closedir(d);
	/* All tasks of a step avoid the same, though another may end meanwhile. */
	if (s.followed) {
		memset(o, 0, sizeof(*o));
		o->cpus = s.own.around;
		weft_bind_add_others(o, s.own.around_gpus);
	}
}

static bool taken(const struct weft_machine *m, const struct weft_others *o, unsigned g)
{
	for (size_t i = 0; i < o->n_gpus; i++)
		if (weft_streq(o->gpu[i], m->gpu[g].pci))
			return true;
	return false;
}

/* GPUs that the step takes at least, as weft_place() deals them. */
static double gpus_wanted(const struct weft_place_step *s)
{
	double x = s->gpus_per_task;

	if (s->gpus_all)
		return s->gpus ? s->gpus : 1;
	if (x >= 1 || x <= 0)
		return s->ntasks * ceil(x - 1e-4);
	return ceil(s->ntasks / floor(1 / x + 1e-4));
}

/* Is there a thread for each task, once the step's cores are spared? */
static bool suffices(const struct weft_machine *m, const struct weft_cpuset *cpus,
	const struct weft_place_step *s)
{
	unsigned threads = 0, cores = 0, of_core = 0;

	for (size_t i = 0; i < m->n_pus; i++) {
		if (!i || m->pu[i].core != m->pu[i - 1].core)
			of_core = 0;
		if (!weft_cpuset_has(cpus, m->pu[i].cpu))
			continue;
		cores += of_core++ == 0;
		threads += !s->smt || of_core <= s->smt;
	}
	return cores > s->spare_cores && threads >= s->ntasks;
}

void weft_bind_around(const struct weft_machine *m, const struct weft_others *o,
	const struct weft_place_step *step, struct weft_cpuset *cpus, unsigned *gpus,
	size_t *n)
{
	struct weft_cpuset left = *cpus;
	size_t keep = 0;

	for (size_t i = 0; i < WEFT_CPU_WORDS; i++)
		left.w[i] &= ~o->cpus.w[i];
	if (suffices(m, &left, step))
		*cpus = left;
	for (size_t i = 0; i < *n; i++)
		keep += !taken(m, o, gpus[i]);
	if (!keep || (double)keep < gpus_wanted(step))
		return;
	keep = 0;
	for (size_t i = 0; i < *n; i++)
		if (!taken(m, o, gpus[i]))
			gpus[keep++] = gpus[i];
	*n = keep;
}
