/* forecast.c - Slurm's word on when jobs would start, kept for a minute */
#include "job.h"

#include "slurm/slurm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FRESH 60.0      /* seconds */
#define CACHE_MAX 65536 /* bytes */

/* $XDG_CACHE_HOME/weft or ~/.cache/weft, for nobody else; NULL: there is none. */
static char *cache_dir(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	weft_autofree char *parent = xdg && *xdg == '/' ? strdup(xdg)
				     : home && *home == '/'
					     ? weft_path_join(home, ".cache")
					     : NULL;
	char *dir = parent ? weft_path_join(parent, "weft") : NULL;

	if (dir && weft_mkdirs(dir, 0700, NULL) == 0)
		return dir;
	free(dir);
	return NULL;
}

/* One file a cluster, in letters that a path may have. */
static char *cache_file(const struct weft_cluster *c)
{
	weft_autofree char *dir = cache_dir();
	char digest[WEFT_DIGEST_HEX];

	weft_digest(c->name, strlen(c->name), digest);
	return dir ? weft_printf("%s/will-run-%s", dir, digest) : NULL;
}

/* Lines "KEY ASKED START"; what is damaged or old is passed over. */
static void read_cache(const char *text, double now, struct weft_select_shapes *s,
	const struct weft_cluster *c, struct weft_str *keep)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		char key[WEFT_DIGEST_HEX];
		double asked, start;

		if (sscanf(p, "%32[0-9a-f] %lf %lf", key, &asked, &start) != 3 ||
			!(asked <= now) || !(now - asked < FRESH))
			continue;
		weft_str_printf(keep, "%s %.0f %.0f\n", key, asked, start);
		for (size_t i = 0; i < s->n; i++)
			if (weft_streq(s->v[i].key, key))
				s->v[i].wait = start > c->taken ? start - c->taken : 0;
	}
}

static bool ask(const struct weft_plan_step *s, double *start)
{
	const struct weft_slurm_request r = {.partition = s->partition,
		.account = s->account,
		.qos = s->qos,
		.reservation = s->reservation,
		.constraint = s->constraint,
		.exclude = s->exclude,
		.nodelist = s->nodelist,
		.licenses = s->licenses,
		.gres = s->gres,
		.gpu_type = s->gpu_type,
		.nodes = s->nodes,
		.ntasks = s->ntasks,
		.ntasks_per_node = s->ntasks_per_node,
		.cpus_per_task = s->cpus_per_task,
		.gpus = s->gpus,
		.gpus_per_node = s->gpus_per_node,
		.mem = s->mem,
		.tmp = s->tmp,
		.time = s->time,
		.exclusive = s->exclusive};

	return weft_slurm_will_run(&r, start, NULL) == 0;
}

struct weft_select_shapes *forecast_load(const struct weft_workflow *wf,
	const struct weft_cluster *c, const struct weft_conf *conf,
	const struct weft_select_options *opt)
{
	weft_autostr struct weft_str keep = {0};
	weft_autofree char *file = cache_file(c), *text = NULL;
	struct weft_select_shapes *s;
	double now = weft_now();
	bool asked = false;
	size_t n;

	if (weft_select_shapes(wf, c, conf, opt, &s, NULL) < 0)
		return NULL;
	if (file && weft_read_file(file, CACHE_MAX, &text, &n, NULL) == 0)
		read_cache(text, now, s, c, &keep);
	for (size_t i = 0; i < s->n; i++) {
		double start;

		if (s->v[i].wait >= 0 || !ask(&s->v[i].shape, &start))
			continue;
		asked = true;
		s->v[i].wait = start > c->taken ? start - c->taken : 0;
		weft_str_printf(&keep, "%s %.0f %.0f\n", s->v[i].key, now, start);
	}
	if (file && asked && !keep.failed)
		weft_write_file(file, keep.s, keep.len, 0600, NULL);
	return s;
}
