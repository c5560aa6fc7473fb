/*
 * others.c - are other steps of the job running here, and what do their tasks have?
 *
 * Two parts.  Whether there are any is told by the kernel: each has a slurmstepd of its
 * own, a child of the same parent as ours.  Only then is `weft bind --others` started,
 * in a child without privileges and with limits of time and output, which reads the
 * notes in the environments of the user's own processes.
 *
 * Security.  Of a process only its parentage and what the kernel says of it is read
 * here: a command line lies in its own memory, which a user can make slow to read for
 * ever, so it is read of root's processes alone.  The child's answer is the user's to
 * forge: it takes CPUs and GPUs away from that user's next step within what Slurm gave
 * it, and can add none.
 */
#include "plugin/spank/others.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/spank/child.h"

#define SECONDS 5.0
#define BYTES (64u << 10)

/* A small file of /proc; NULL: it isn't to be had. */
static char *read_proc(pid_t pid, const char *name)
{
	weft_autofree char *path = weft_printf("/proc/%d/%s", (int)pid, name);
	char *text = NULL;
	size_t n;

	if (!path || weft_read_file(path, BYTES, &text, &n, NULL))
		return NULL;
	return text;
}

/* Root's, by its real user id: the owner of its folder may be root for other reasons.
 */
static bool is_roots(pid_t pid)
{
	weft_autofree char *status = read_proc(pid, "status");
	const char *uid = status ? strstr(status, "\nUid:\t0\t") : NULL;

	return uid != NULL;
}

/* "slurmstepd: [77.1]" of our job, a step of tasks, and not our own. */
static bool is_other(pid_t pid, uint32_t job, uint32_t step)
{
	weft_autofree char *comm = read_proc(pid, "comm");
	weft_autofree char *line = NULL;
	unsigned its_job, its_step;
	char end;

	if (!comm || strcmp(comm, "slurmstepd\n") != 0 || !is_roots(pid))
		return false;
	line = read_proc(pid, "cmdline");
	return line &&
	       sscanf(line, "slurmstepd: [%u.%u%c", &its_job, &its_step, &end) == 3 &&
	       end == ']' && its_job == job && its_step != step;
}

static bool any_child(pid_t parent, const char *thread, uint32_t job, uint32_t step)
{
	weft_autofree char *name = weft_printf("task/%s/children", thread);
	weft_autofree char *list = name ? read_proc(parent, name) : NULL;
	char *end;

	for (const char *p = list; p && *p; p = end) {
		long pid = strtol(p, &end, 10);
		if (end == p)
			return false;
		if (pid != getpid() && is_other((pid_t)pid, job, step))
			return true;
		end += strspn(end, " \n");
	}
	return false;
}

static bool are_any(uint32_t job, uint32_t step)
{
	pid_t parent = getppid();
	weft_autofree char *path = weft_printf("/proc/%d/task", (int)parent);
	DIR *d = path ? opendir(path) : NULL;
	bool any = false;

	for (const struct dirent *e; d && !any && (e = readdir(d));)
		any = *e->d_name != '.' && any_child(parent, e->d_name, job, step);
	if (d)
		closedir(d);
	return any;
}

/* "cpus=0-7\ngpus=0000:07:00.0\n" */
static bool parse(char *text, struct weft_others *o)
{
	char *gpus = strstr(text, "\ngpus=");

	if (strncmp(text, "cpus=", 5) != 0 || !gpus)
		return false;
	*gpus = '\0';
	gpus += 6;
	gpus[strcspn(gpus, "\n")] = '\0';
	if (!weft_cpuset_parse(text + 5, &o->cpus))
		return false;
	weft_bind_add_others(o, gpus);
	return true;
}

static bool ask(spank_t sp, uint32_t job, uint32_t step, struct weft_others *o)
{
	weft_autofree char *job_env = weft_printf("SLURM_JOB_ID=%u", (unsigned)job);
	weft_autofree char *step_env = weft_printf("SLURM_STEP_ID=%u", (unsigned)step);
	weft_autofree char *text = NULL;
	char *argv[] = {(char *)"weft", (char *)"bind", (char *)"--others", NULL};
	char *envp[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C", job_env,
		step_env, NULL};
	const struct child c = {argv, envp, SECONDS, BYTES, false, -1};

	return job_env && step_env && child_run(sp, &c, &text, NULL) == 0 &&
	       parse(text, o);
}

struct weft_others *others_find(spank_t sp)
{
	struct weft_others *o;
	uint32_t job, step;

	if (host_job_id(sp, &job) || host_step_id(sp, &step) || !are_any(job, step))
		return NULL;
	o = calloc(1, sizeof(*o));
	if (o && ask(sp, job, step, o))
		return o;
	host_debug("other steps of the job run here; what they have isn't known");
	free(o);
	return NULL;
}
