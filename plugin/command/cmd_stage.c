/* cmd_stage.c - weft stage: copies that are whole or not there, and their check */
#include "cmd_stage.h"

#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"

static int run(int argc, char **argv);

WEFT_VERB(stage, .name = "stage",
	.synopsis = "cp [OPTION...] SRC... DST | bcast [OPTION...] SRC DST | "
		    "verify DST... | gc [DIR...] | ls",
	.summary = "Copies files and folders fast, whole or not at all",
	.help = "  cp SRC DST       DST is the copy's name; what is there is not "
		"overwritten\n"
		"  cp SRC... DIR/   into that folder, under their own names\n"
		"  bcast SRC DST    to that name on each node of the job, read once\n"
		"  verify DST...    read copies again and compare with their records\n"
		"  gc DIR...        remove what killed copies have left in a folder\n"
		"  gc               the same in the node's cache, and what is beyond "
		"its limits\n"
		"  ls               what the node's cache holds\n"
		"\n"
		"  --replace        what has the final name goes, in one step\n"
		"  --strategy HOW   auto, copy (read and write), hard (hard links), "
		"server\n"
		"  --durable HOW    data (on disk before it has its name), full (the "
		"name,\n"
		"                   too), none\n"
		"  --special HOW    FIFOs, sockets, devices: refuse, skip or copy\n"
		"  --partial        keep what there is when it fails or is "
		"interrupted\n"
		"  --no-record      leave no record beside the copy\n"
		"  --threads N      no more and no less\n"
		"  --older TIME     gc: also of other hosts, when unchanged for so "
		"long\n"
		"  --dir DIR        ls, gc, verify --cache, bcast --cache: the cache "
		"in this "
		"folder\n"
		"  --cache          cp, bcast: by way of the node's cache; verify: "
		"what is "
		"in it\n"
		"  --check          cp --cache: read it again before it is used\n"
		"  --all            gc: all of the cache that isn't in use\n"
		"  --nodes LIST     bcast: these nodes of the job\n"
		"  --hosts LIST     bcast: these hosts, without Slurm\n"
		"  --launcher CMD   bcast: CMD HOST COMMAND starts it there (default: "
		"ssh)\n"
		"  --address HOST   bcast: the name or address of this host for them\n"
		"  --deadline TIME  bcast: who isn't done by then has failed\n"
		"  --start TIME     bcast: who hasn't come by then has failed (60s)\n"
		"  --silence TIME   bcast: who isn't heard of for so long is given up "
		"(5s)\n"
		"  --tree           bcast: by a tree, however large it is\n"
		"  --json           a JSON object a copy, with what was done and why\n"
		"  -q, --quiet      say nothing but errors\n",
	.order = 44, .run = run);

enum {
	REPLACE = 1,
	STRATEGY,
	DURABLE,
	SPECIAL,
	PARTIAL,
	NO_RECORD,
	THREADS,
	OLDER,
	FOLDER,
	CACHE,
	CHECK,
	ALL,
	JSON
};

static const struct option options[] = {{"replace", no_argument, NULL, REPLACE},
	{"strategy", required_argument, NULL, STRATEGY},
	{"durable", required_argument, NULL, DURABLE},
	{"special", required_argument, NULL, SPECIAL},
	{"partial", no_argument, NULL, PARTIAL},
	{"no-record", no_argument, NULL, NO_RECORD},
	{"threads", required_argument, NULL, THREADS},
	{"older", required_argument, NULL, OLDER},
	{"dir", required_argument, NULL, FOLDER}, {"cache", no_argument, NULL, CACHE},
	{"check", no_argument, NULL, CHECK}, {"all", no_argument, NULL, ALL},
	{"json", no_argument, NULL, JSON}, {"quiet", no_argument, NULL, 'q'},
	{NULL, 0, NULL, 0}};

/* The words of an option, in the order of its values. */
static const char *const strategies[] = {"auto", "copy", "hard", "server", NULL};
static const enum weft_stage_how strategy_how[] = {
	WEFT_STAGE_AUTO, WEFT_STAGE_STREAM, WEFT_STAGE_HARD, WEFT_STAGE_SERVER};
static const char *const durables[] = {"data", "full", "none", NULL};
static const char *const specials[] = {"refuse", "skip", "copy", NULL};

static int word_of(const char *const *words, const char *option, unsigned *which)
{
	for (unsigned i = 0; words[i]; i++)
		if (weft_streq(words[i], optarg)) {
			*which = i;
			return 0;
		}
	return cmd_usage(&verb_stage, "--%s: no '%s'", option, optarg);
}

static int take_option(struct stage_args *a, int c)
{
	const char *why;
	unsigned which = 0;
	int64_t n;
	int status = 0;

	switch (c) {
	case REPLACE:
		a->opt.replace = true;
		break;
	case STRATEGY:
		status = word_of(strategies, "strategy", &which);
		a->opt.how = strategy_how[which];
		break;
	case DURABLE:
		status = word_of(durables, "durable", &which);
		a->opt.durable = which;
		break;
	case SPECIAL:
		status = word_of(specials, "special", &which);
		a->opt.special = which;
		break;
	case PARTIAL:
		a->opt.partial = true;
		break;
	case NO_RECORD:
		a->opt.manifest = false;
		break;
	case THREADS:
		if (!weft_parse_int(optarg, 1, 32, &n))
			return cmd_usage(&verb_stage, "--threads is 1 to 32");
		a->opt.threads = (unsigned)n;
		break;
	case OLDER:
		if (!weft_parse_duration(optarg, &a->older, &why))
			return cmd_usage(&verb_stage, "--older %s: %s", optarg, why);
		break;
	case FOLDER:
		a->dir = optarg;
		break;
	case CACHE:
		a->cache = true;
		break;
	case CHECK:
		a->check = true;
		break;
	case ALL:
		a->all = true;
		break;
	case JSON:
		a->json = true;
		break;
	default:
		a->quiet = true;
	}
	return status;
}

volatile sig_atomic_t stage_stop;

static void on_signal(int sig)
{
	(void)sig;
	stage_stop = 1;
}

const volatile sig_atomic_t *cmd_stop(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	return &stage_stop;
}

/* "  45 %  1.2G of 2.6G  850M/s  2 s left" */
void stage_show_progress(void *arg, const struct weft_stage_progress *p)
{
	char done[WEFT_UNIT_MAX], total[WEFT_UNIT_MAX], rate[WEFT_UNIT_MAX];
	double speed = p->seconds > 0 ? (double)p->bytes / p->seconds : 0;

	weft_format_size(done, p->bytes);
	weft_format_size(total, p->total);
	weft_format_size(rate, (uint64_t)speed);
	fprintf(stderr, "\r\033[K%s: ", (const char *)arg);
	if (p->total)
		fprintf(stderr, "%3.0f %%  ",
			100 * (double)p->bytes / (double)p->total);
	fprintf(stderr, "%s of %s%s  %llu files  %s/s", done, total,
		p->scanned ? "" : " and more", (unsigned long long)p->files, rate);
	if (p->scanned && speed > 0)
		fprintf(stderr, "  %.0f s left", (double)(p->total - p->bytes) / speed);
	fflush(stderr);
}

void stage_clear_progress(const struct stage_args *a)
{
	if (a->opt.progress)
		fputs("\r\033[K", stderr);
}

int stage_fail(const struct stage_args *a, struct weft_err *err)
{
	struct weft_errs errs = {0};
	int status = err->code <= WEFT_EINTR ? (int)err->code : WEFT_EUSAGE;

	if (!a->json)
		return cmd_fail(err);
	weft_errs_add(&errs, err);
	cmd_fail_errs(&errs, true);
	return status;
}

static json_t *report_json(
	const char *src, const char *dst, const struct weft_stage_report *r)
{
	double limit = r->share > 0 ? (double)r->moved / r->seconds / r->share : 0;

	return json_pack("{s:o*, s:o, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s?, s:I, "
			 "s:I, s:I, s:I, "
			 "s:i, s:f, s:o*, s:o*}",
		"source", src ? weft_report_json_text(src) : NULL, "destination",
		weft_report_json_text(dst), "bytes", (json_int_t)r->bytes, "moved",
		(json_int_t)r->moved, "resumed", (json_int_t)r->resumed, "files",
		(json_int_t)r->files, "folders", (json_int_t)r->folders, "strategy",
		r->strategy, "why", r->why, "hash", *r->hash ? r->hash : NULL,
		"retries", (json_int_t)r->retries, "skipped", (json_int_t)r->skipped,
		"owners_not_kept", (json_int_t)r->owners, "attributes_not_kept",
		(json_int_t)r->dropped, "threads", (int)r->threads, "seconds",
		r->seconds, "limit", limit > 0 ? json_real(limit) : NULL, "share",
		limit > 0 ? json_real(r->share) : NULL);
}

int stage_print_json(json_t *root)
{
	struct weft_str out = {0};

	if (weft_report_json(root, 0, &out))
		out.failed = true;
	return cmd_print(&out);
}

static void note(uint64_t n, const char *what)
{
	if (n)
		fprintf(stderr, "weft stage: %llu %s\n", (unsigned long long)n, what);
}

static int tell(const struct stage_args *a, const char *src, const char *dst,
	const struct weft_stage_report *r)
{
	struct weft_str out = {0};
	char bytes[WEFT_UNIT_MAX], rate[WEFT_UNIT_MAX];

	if (a->json)
		return stage_print_json(report_json(src, dst, r));
	if (a->quiet)
		return 0;
	note(r->owners, "entries have another owner than in the source");
	note(r->dropped, "attributes or ACLs could not be kept there");
	weft_format_size(bytes, r->bytes);
	weft_format_size(
		rate, r->seconds > 0 ? (uint64_t)((double)r->bytes / r->seconds) : 0);
	weft_report_text(&out, dst);
	weft_str_printf(&out, ": %llu files, %s, %s, %.2f s",
		(unsigned long long)r->files, bytes, r->strategy, r->seconds);
	if (r->moved)
		weft_str_printf(&out, ", %s/s", rate);
	if (r->resumed) {
		weft_format_size(bytes, r->resumed);
		weft_str_printf(&out, ", %s of it from before", bytes);
	}
	weft_str_addc(&out, '\n');
	return cmd_print(&out);
}

static int copy_one(struct stage_args *a, const char *src, const char *dst, bool into)
{
	struct weft_stage_report report;
	struct weft_err err = {0};
	weft_autofree char *own = strdup(src), *to = NULL;
	size_t len = own ? strlen(own) : 0;
	const char *base;
	int rc;

	while (len > 1 && own[len - 1] == '/')
		own[--len] = '\0';
	base = own ? strrchr(own, '/') : NULL;
	base = base ? base + 1 : own;
	if (into && base && (!*base || weft_streq(base, ".") || weft_streq(base, "..")))
		return cmd_usage(
			&verb_stage, "'%s' has no name to be copied under", src);
	to = into && base ? weft_path_join(dst, base) : strdup(dst);
	if (!own || !to) {
		weft_err_nomem(&err);
		return stage_fail(a, &err);
	}
	a->opt.arg = to;
	if (weft_engine_may_read(a->conf, cmd_user(), src, &err) ||
		weft_engine_may_write(a->conf, cmd_user(), to, &err))
		return stage_fail(a, &err);
	rc = a->node ? weft_stage_cache_get(
			       a->node, src, to, &a->opt, a->check, &report, &err)
		     : 1;
	if (rc == 1)
		rc = weft_stage_copy(src, to, &a->opt, &report, &err);
	if (rc != 0) {
		stage_clear_progress(a);
		if (err.sys == EEXIST)
			weft_err_hint(&err,
				"give it another name, or add --replace; into "
				"a folder: write its name with a / behind");
		return stage_fail(a, &err);
	}
	stage_clear_progress(a);
	return tell(a, src, to, &report);
}

/* A word that is no file but a pattern, quoted from the shell: what it matches. */
static int copy_word(struct stage_args *a, const char *word, const char *dst, bool into)
{
	struct stat st;
	int status = 0;
	glob_t g = {0};

	if (lstat(word, &st) == 0 || !strpbrk(word, "*?[") ||
		glob(word, 0, NULL, &g) != 0)
		return copy_one(a, word, dst, into);
	if (g.gl_pathc > 1 && !into)
		status = cmd_usage(&verb_stage,
			"%zu files match %s: end the destination with a /", g.gl_pathc,
			word);
	for (size_t i = 0; i < g.gl_pathc && status == 0; i++)
		status = copy_one(a, g.gl_pathv[i], dst, into);
	globfree(&g);
	return status;
}

static int copy_all(struct stage_args *a, char **word, int n)
{
	const char *dst = n > 1 ? word[n - 1] : NULL;
	int status;

	if (n < 2)
		return cmd_usage(&verb_stage, "cp: what, and to where?");
	if (!*dst)
		return cmd_usage(&verb_stage, "cp: an empty destination");
	status = stage_open_conf(a, a->cache);
	if (status)
		return status;
	bool slash = dst[strlen(dst) - 1] == '/';
	if (n > 2 && !slash)
		return cmd_usage(&verb_stage,
			"cp: several go into a folder: end '%s' with a /", dst);
	for (int i = 0; i < n - 1 && status == 0; i++)
		status = copy_word(a, word[i], dst, slash);
	return status;
}

int stage_verify_one(struct stage_args *a, const char *dst)
{
	struct weft_stage_report r;
	struct weft_stage_diff diff;
	struct weft_err err = {0};
	struct weft_str out = {0};
	uint64_t bad;

	a->opt.arg = (void *)dst;
	if (weft_stage_verify(dst, &a->opt, &diff, &r, &err) != 0) {
		stage_clear_progress(a);
		return stage_fail(a, &err);
	}
	stage_clear_progress(a);
	bad = diff.missing + diff.extra + diff.different;
	if (a->json) {
		json_t *root = report_json(NULL, dst, &r);

		if (root)
			json_object_update_new(
				root, json_pack("{s:I, s:I, s:I, s:I}", "missing",
					      (json_int_t)diff.missing, "extra",
					      (json_int_t)diff.extra, "different",
					      (json_int_t)diff.different, "unread",
					      (json_int_t)diff.unread));
		stage_print_json(root);
	} else if (bad || !a->quiet) {
		weft_report_text(&out, dst);
		if (!bad)
			weft_str_printf(&out,
				": as its record says: %llu files, %s%s\n",
				(unsigned long long)r.files,
				*r.hash ? r.hash : "no hash",
				diff.unread ? " (those that were linked by their times)"
					    : "");
		else
			weft_str_printf(&out,
				": %llu different, %llu missing, %llu too many\n",
				(unsigned long long)diff.different,
				(unsigned long long)diff.missing,
				(unsigned long long)diff.extra);
		for (const char *p = diff.first; p && *p;) {
			size_t n = strcspn(p, "\n");
			weft_autofree char *line = strndup(p, n);

			weft_str_add(&out, "  ");
			weft_report_text(&out, line ? line : "");
			weft_str_addc(&out, '\n');
			p += n + (p[n] == '\n');
		}
		cmd_print(&out);
	}
	free(diff.first);
	return bad ? WEFT_ESTAGE : 0;
}

static int gc_one(const struct stage_args *a, const char *dir)
{
	struct weft_err err = {0};
	struct weft_str out = {0};
	uint64_t n;

	if (weft_stage_clean(dir, a->older, &n, &err) != 0)
		return stage_fail(a, &err);
	if (a->json)
		return stage_print_json(json_pack("{s:o, s:I}", "folder",
			weft_report_json_text(dir), "removed", (json_int_t)n));
	if (a->quiet)
		return 0;
	weft_report_text(&out, dir);
	weft_str_printf(&out, ": %llu removed\n", (unsigned long long)n);
	return cmd_print(&out);
}

static int each(struct stage_args *a, const char *what, char **word, int n)
{
	bool check = weft_streq(what, "verify");
	int worst = 0;

	if (n == 0)
		return cmd_usage(&verb_stage, "%s what?", what);
	for (int i = 0; i < n && !stage_stop; i++) {
		int status = check ? stage_verify_one(a, word[i]) : gc_one(a, word[i]);

		worst = status > worst ? status : worst;
	}
	return worst;
}

static int run(int argc, char **argv)
{
	struct stage_args a = {.opt = {.archive = true,
				       .resume = true,
				       .manifest = true,
				       .stop = &stage_stop}};
	int c, status = 0;

	cmd_stop();
	if (argc > 1 && weft_streq(argv[1], "bcast"))
		return stage_bcast(argc - 1, argv + 1);
	if (argc > 1 && weft_streq(argv[1], "receive"))
		return stage_receive(argc - 1, argv + 1);
	if (argc > 1 && weft_streq(argv[1], "send"))
		return stage_send(argc - 1, argv + 1);
	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_stage, argc, argv, "q", options, &status)) != -1) {
		if (c == -2)
			return status;
		status = take_option(&a, c);
		if (status)
			return status;
	}
	if (optind == argc)
		return cmd_usage(&verb_stage, "cp, bcast, verify, ls or gc?");
	const char *what = argv[optind++];
	if (!a.json && !a.quiet && isatty(2))
		a.opt.progress = stage_show_progress;
	if (weft_streq(what, "cp"))
		status = copy_all(&a, argv + optind, argc - optind);
	else if (weft_streq(what, "ls"))
		status = optind < argc ? cmd_usage(&verb_stage, "ls: no arguments")
				       : stage_ls(&a);
	else if (weft_streq(what, "verify") && a.cache && optind == argc)
		status = stage_verify_cache(&a);
	else if (weft_streq(what, "gc") && optind == argc)
		status = stage_trim(&a);
	else if (weft_streq(what, "verify") || weft_streq(what, "gc"))
		status = each(&a, what, argv + optind, argc - optind);
	else
		status = cmd_usage(
			&verb_stage, "no '%s': cp, bcast, verify, ls or gc", what);
	weft_stage_cache_close(a.node);
	weft_conf_free(a.conf);
	return status;
}
