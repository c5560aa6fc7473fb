#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"

#define MIB (UINT64_C(1) << 20)

static char *or_null(const char *s)
{
	return s && *s ? (char *)s : NULL;
}

/* "gres:gpu:a100:2,gres:nvme:1"; Slurm names GRES so. */
static char *gres(const struct weft_slurm_request *r, unsigned gpus, bool with_gpus)
{
	weft_autostr struct weft_str s = {0};
	const char *p = r->gres;

	if (with_gpus && gpus)
		weft_str_printf(&s, "gres:gpu%s%s:%u", *r->gpu_type ? ":" : "",
			r->gpu_type, gpus);
	while (p && *p) {
		size_t n = strcspn(p, ",");

		if (n && !with_gpus)
			weft_str_printf(&s, "%sgres:%.*s", s.len ? "," : "", (int)n, p);
		p += n + (p[n] == ',');
	}
	return s.len ? weft_str_take(&s) : NULL;
}

static void fill(const struct slurm_api *api, const struct weft_slurm_request *r,
	job_desc_msg_t *d)
{
	api->slurm_init_job_desc_msg(d);
	d->name = (char *)"weft";
	d->user_id = getuid();
	d->group_id = getgid();
	d->work_dir = (char *)"/";
	d->partition = or_null(r->partition);
	d->account = or_null(r->account);
	d->qos = or_null(r->qos);
	d->reservation = or_null(r->reservation);
	d->features = or_null(r->constraint);
	d->exc_nodes = or_null(r->exclude);
	d->req_nodes = or_null(r->nodelist);
	d->licenses = or_null(r->licenses);
	d->min_nodes = d->max_nodes = r->nodes;
	d->num_tasks = r->ntasks;
	d->ntasks_per_node = (uint16_t)r->ntasks_per_node;
	d->cpus_per_task = (uint16_t)r->cpus_per_task;
	d->min_cpus = r->ntasks * r->cpus_per_task;
	if (r->mem)
		d->pn_min_memory = (r->mem + MIB - 1) / MIB;
	if (r->tmp)
		d->pn_min_tmp_disk = (uint32_t)((r->tmp + MIB - 1) / MIB);
	if (r->time)
		d->time_limit = (uint32_t)((r->time + 59) / 60);
	if (r->exclusive)
		d->shared = 0;
}

int weft_slurm_will_run(
	const struct weft_slurm_request *r, double *start, struct weft_err *err)
{
	const struct slurm_api *api = slurm_api(err);
	bool even = r->gpus == r->nodes * r->gpus_per_node;
	weft_autofree char *all = NULL, *node = NULL, *gpus_node = NULL;
	will_run_response_msg_t *answer = NULL;
	struct slurm_hush hush;
	job_desc_msg_t d;
	int status;

	if (!api)
		return -1;
	fill(api, r, &d);
	all = even ? NULL : gres(r, r->gpus, true);
	gpus_node = even ? gres(r, r->gpus_per_node, true) : NULL;
	node = gres(r, 0, false);
	if (node && gpus_node) {
		char *both = weft_printf("%s,%s", gpus_node, node);

		free(node);
		node = both;
	} else if (gpus_node) {
		node = weft_steal(&gpus_node);
	}
	d.tres_per_job = all;
	d.tres_per_node = node;
	slurm_hush_begin(&hush);
	status = api->slurm_job_will_run2(&d, &answer);
	if (status || !answer)
		status = slurm_error(api, err, "asking when a job would start");
	slurm_hush_end(&hush, err);
	if (status)
		return -1;
	*start = (double)answer->start_time;
	if (api->free_will_run)
		api->free_will_run(answer);
	return 0;
}
