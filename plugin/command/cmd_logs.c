/* cmd_logs.c - weft logs: what a step printed */
#include "job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int logs(int argc, char **argv);

WEFT_VERB(logs, .name = "logs",
	.synopsis = "[-f] [--stderr|--stdout] RUN STEP[.MEMBER]",
	.summary = "Prints what a step wrote to stdout and stderr",
	.help = "  -f, --follow         go on printing until the step has ended\n"
		"  --stdout, --stderr   one of the two only\n"
		"  --path               print the names of the files instead\n\n"
		"MEMBER is a member's id (see weft status --json) or its number from "
		"0; a sweep\n"
		"without one means all its members.\n",
	.order = 13, .run = logs);

struct show {
	const struct opened *o;
	bool out, err, follow, path, heads;
	struct weft_records *records; /* to see the end of it; NULL: not asked for */
};

static int copy_from(const char *path, off_t *at)
{
	weft_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = pread(fd, buf, sizeof(buf), *at)) > 0) {
		*at += n;
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return -1;
	}
	return fflush(stdout) ? -1 : 0;
}

static bool has_ended(const struct show *s, const struct weft_step *step, size_t index)
{
	weft_autoerr struct weft_err err = {0};

	if (weft_records_poll(s->records, NULL, NULL, &err))
		return false;
	return weft_state_ended(
		weft_records_head(s->records, step->index, index).state);
}

static int show_member(const struct show *s, const struct weft_step *step, size_t index)
{
	struct weft_err err = {0};
	struct weft_member m;
	const char *const name[] = {"stdout", "stderr"};
	const bool want[] = {s->out, s->err};
	off_t at[2] = {0, 0};

	if (weft_sweep_member(s->o->wf, step, index, &m, &err))
		return cmd_fail(&err);
	weft_autofree char *dir = weft_run_step_dir(s->o->run, step, &m);
	weft_member_clear(&m);
	if (!dir)
		return WEFT_EUSAGE;
	for (bool last = !s->follow;;) {
		for (int i = 0; i < 2; i++) {
			weft_autofree char *path = weft_path_join(dir, name[i]);
			struct stat st;

			if (!want[i] || !path)
				continue;
			if (s->path) {
				puts(path);
				continue;
			}
			if (stat(path, &st) || st.st_size <= at[i])
				continue;
			if (s->heads && at[i] == 0)
				printf("==> %s <==\n", path);
			if (copy_from(path, &at[i]))
				return WEFT_EUSAGE;
		}
		if (last || s->path)
			return 0;
		last = has_ended(s, step, index);
		if (!last)
			nanosleep(&(struct timespec){0, 300000000}, NULL);
	}
}

static int logs(int argc, char **argv)
{
	static const struct option options[] = {{"follow", no_argument, NULL, 'f'},
		{"stdout", no_argument, NULL, 'o'}, {"stderr", no_argument, NULL, 'e'},
		{"path", no_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
	struct show s = {0};
	struct weft_err err = {0};
	const struct weft_step *step;
	const char *member;
	struct opened o;
	size_t index;
	int c, ret = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_logs, argc, argv, "f", options, &ret)) != -1) {
		if (c == -2)
			return ret;
		s.follow |= c == 'f';
		s.out |= c == 'o';
		s.err |= c == 'e';
		s.path |= c == 'p';
	}
	if (!s.out && !s.err)
		s.out = s.err = true;
	if (optind != argc - 2)
		return cmd_usage(&verb_logs, "which step of which run?");
	if ((ret = opened_open(&o, argv[optind], NULL)))
		goto out;
	s.o = &o;
	if (s.follow && weft_records_open(o.run, o.wf, &s.records, &err)) {
		ret = cmd_fail(&err);
		goto out;
	}
	step = cmd_step(o.wf, o.run->id, argv[optind + 1], &member, &err);
	if (!step || (member && cmd_member(o.wf, step, member, &index, &err))) {
		ret = cmd_fail(&err);
		goto out;
	}
	s.heads = (s.out && s.err) || (!member && step->sweep.count > 1);
	if (member) {
		ret = show_member(&s, step, index);
	} else {
		for (size_t i = 0; !ret && i < step->sweep.count; i++)
			ret = show_member(&s, step, i);
	}
out:
	weft_records_free(s.records);
	opened_close(&o);
	return ret;
}
