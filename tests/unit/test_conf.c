/* weft.conf: what is read, what is refused and with which words. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "suite.h"

static struct weft_conf *good(const char *text)
{
	struct weft_err err = {0};
	struct weft_conf *c;

	ck_assert_msg(weft_conf_parse("t.conf", text, strlen(text), &c, &err) == 0,
		"%s", err.text);
	return c;
}

/* The text must be refused on that line, with `part` in message or hint. */
static void bad_n(const char *text, size_t n, unsigned line, const char *part)
{
	struct weft_err err = {0};
	struct weft_conf *c = (void *)1;

	ck_assert_msg(weft_conf_parse("t.conf", text, n, &c, &err) == -1,
		"not refused: %s", text);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(err.code, WEFT_ECONF);
	ck_assert_str_eq(err.file, "t.conf");
	ck_assert_uint_eq(err.pos.line, line);
	ck_assert_msg(strstr(err.text, part) || (err.hint && strstr(err.hint, part)),
		"no '%s' in: %s (%s)", part, err.text, err.hint ? err.hint : "");
	weft_err_clear(&err);
}

static void bad(const char *text, unsigned line, const char *part)
{
	bad_n(text, strlen(text), line, part);
}

START_TEST(defaults)
{
	struct weft_conf *c = good("");

	ck_assert(c->enabled && c->bind);
	ck_assert_str_eq(c->scratch, "/tmp");
	ck_assert_str_eq(c->memory, "/dev/shm");
	ck_assert_str_eq(c->cache, "/run/weft");
	ck_assert_str_eq(c->run_dir, "weft-runs");
	ck_assert_ptr_null(c->command);
	ck_assert_ptr_null(c->mpi);
	ck_assert_int_eq(c->time, 0);
	ck_assert_uint_eq(c->avoid.n, 0);
	weft_conf_free(c);
	weft_conf_free(NULL);
}
END_TEST

START_TEST(every_key)
{
	struct weft_conf *c = good("# a comment\n\n"
				   "  enabled=no\n"
				   "command = /opt/weft/bin/weft\n"
				   "mpi\t=\tpmi2\n"
				   "scratch = /local/\n"
				   "memory = /ram\n"
				   "cache = /var/cache/weft\n"
				   "run_dir = ~/runs\n"
				   "bind = none\n"
				   "time = 90m\n"
				   "avoid = debug,long  big\n"
				   "[ role  training ]\n"
				   "partition = gpu,gpu2\n"
				   "qos = q\naccount = a\nconstraint = a100&nvlink\n"
				   "setup = /etc/weft/t.sh\n"
				   "time = 1-00:00:00\nmem_per_cpu = 1.5G\n"
				   "env.OMP_NUM_THREADS = 4\n"
				   "env.EMPTY =\n"
				   "env.EQ = a=b c\n"
				   "[role steering]\n"
				   "partition = cpu"); /* no newline at the end */
	const struct weft_conf_role *t = &c->role[2], *s = &c->role[4];

	ck_assert(!c->enabled && !c->bind);
	ck_assert_str_eq(c->file, "t.conf");
	ck_assert_str_eq(c->command, "/opt/weft/bin/weft");
	ck_assert_str_eq(c->mpi, "pmi2");
	ck_assert_str_eq(c->scratch, "/local");
	ck_assert_str_eq(c->memory, "/ram");
	ck_assert_str_eq(c->cache, "/var/cache/weft");
	ck_assert_str_eq(c->run_dir, "~/runs");
	ck_assert_int_eq(c->time, 5400);
	ck_assert_uint_eq(c->avoid.n, 3);
	ck_assert_str_eq(c->avoid.v[2], "big");
	ck_assert_str_eq(t->partition, "gpu,gpu2");
	ck_assert_str_eq(t->constraint, "a100&nvlink");
	ck_assert_str_eq(t->setup, "/etc/weft/t.sh");
	ck_assert_int_eq(t->time, 86400);
	ck_assert_uint_eq(t->mem_per_cpu, 3ull << 29);
	ck_assert_uint_eq(t->n_env, 3);
	ck_assert_str_eq(t->env[0].value, "4");
	ck_assert_str_eq(t->env[1].value, "");
	ck_assert_str_eq(t->env[2].name, "EQ");
	ck_assert_str_eq(t->env[2].value, "a=b c");
	ck_assert_str_eq(s->partition, "cpu");
	ck_assert_ptr_null(s->qos);
	weft_conf_free(c);
}
END_TEST

START_TEST(policy_keys)
{
	struct weft_conf *c = good("contact = the help desk, help@site.example\n"
				   "reason = we move house\n"
				   "group_waste = 5%\ngroup_jobs = 4\ngroup_time = 1h\n"
				   "job_limit = 100\nestimate = will_run\n"
				   "bandwidth = 2G\nreserve = l3:1,0-3,last:2\n"
				   "[limits]\n"
				   "nodes = 16\ngpus = 8\nmembers = 1000\ntime = 1d\n"
				   "node_hours = 100.5\ncore_hours = 1000\n"
				   "gpu_hours = 10\nuser_nodes = 32\nuser_gpus = 16\n"
				   "accounts = phys01 phys02\n"
				   "read_roots = /sw, /data sets/, /home\n"
				   "write_roots = /home\n"
				   "require_labels = project, pi\n"
				   "[user bob]\nenabled = no\nreason = until he calls\n"
				   "[partition old]\nenabled = no\n"
				   "[role training]\n"
				   "partition = gpu\npartitions = gpu, gpu2\n"
				   "bind = none\nplace.cpus = spread\n"
				   "place.balance = even\nplace.memory = none\n"
				   "place.smt = all\nplace.spare_cores = 2\n"
				   "[user alice]\n"
				   "nodes = 64\nread_roots = none\ntime = none\n");
	const struct weft_conf_role *t = &c->role[2];
	struct weft_conf_limits l;

	ck_assert_str_eq(c->contact, "the help desk, help@site.example");
	ck_assert_uint_eq(c->group_waste, 5);
	ck_assert_uint_eq(c->group_jobs, 4);
	ck_assert_int_eq(c->group_time, 3600);
	ck_assert_uint_eq(c->job_limit, 100);
	ck_assert_int_eq(c->estimate, WEFT_ESTIMATE_WILL_RUN);
	ck_assert_uint_eq(c->bandwidth, 2ull << 30);
	ck_assert_str_eq(c->reserve, "l3:1,0-3,last:2");
	ck_assert_uint_eq(t->partitions.n, 2);
	ck_assert_uint_eq(t->bind, 2);
	ck_assert_uint_eq(t->place.cpus, 2);
	ck_assert_uint_eq(t->place.balance, 2);
	ck_assert_uint_eq(t->place.memory, 3);
	ck_assert_uint_eq(t->place.smt, 3);
	ck_assert_uint_eq(t->place.spare_cores, 2);
	ck_assert_uint_eq(c->role[0].bind, 0);

	weft_conf_limits(c, "bob", &l);
	ck_assert_uint_eq(l.nodes, 16);
	ck_assert_uint_eq(l.gpus, 8);
	ck_assert_uint_eq(l.members, 1000);
	ck_assert_int_eq(l.time, 86400);
	ck_assert_double_eq(l.node_hours, 100.5);
	ck_assert_double_eq(l.core_hours, 1000);
	ck_assert_double_eq(l.gpu_hours, 10);
	ck_assert_uint_eq(l.user_nodes, 32);
	ck_assert_uint_eq(l.user_gpus, 16);
	ck_assert(weft_conf_names_has(&l.accounts, "phys02"));
	ck_assert(!weft_conf_names_has(&l.accounts, "phys0"));
	ck_assert_uint_eq(l.read_roots.n, 3);
	ck_assert_str_eq(l.read_roots.v[1], "/data sets");
	ck_assert_uint_eq(l.require_labels.n, 2);

	/* Key by key: what alice doesn't say stays; "none" lifts. */
	weft_conf_limits(c, "alice", &l);
	ck_assert_uint_eq(l.nodes, 64);
	ck_assert_uint_eq(l.line[0], c->user[1].limits.line[0]);
	ck_assert_uint_eq(l.gpus, 8);
	ck_assert_int_eq(l.time, 0);
	ck_assert_uint_eq(l.read_roots.n, 0);
	ck_assert_uint_eq(l.write_roots.n, 1);
	weft_conf_limits(c, NULL, &l);
	ck_assert_uint_eq(l.nodes, 16);
	weft_conf_free(c);
}
END_TEST

START_TEST(group_defaults)
{
	struct weft_conf *c = good("");

	ck_assert_uint_eq(c->group_waste, 10);
	ck_assert_uint_eq(c->group_jobs, 16);
	ck_assert_int_eq(c->group_time, 4 * 3600);
	ck_assert_uint_eq(c->job_limit, 0);
	ck_assert_int_eq(c->estimate, WEFT_ESTIMATE_NODES);
	ck_assert_uint_eq(c->bandwidth, 1ull << 30);
	weft_conf_free(c);
}
END_TEST

static void is_off(
	int rc, struct weft_err *err, const char *text, unsigned line, const char *hint)
{
	ck_assert_int_eq(rc, -1);
	ck_assert_str_eq(err->text, text);
	ck_assert_str_eq(err->file, "t.conf");
	ck_assert_uint_eq(err->pos.line, line);
	ck_assert_str_eq(err->hint, hint);
	weft_err_clear(err);
}

START_TEST(switches)
{
	struct weft_conf *c = good("contact = ops\n[user bob]\nreason = he knows why\n"
				   "enabled = no\n[partition old]\nenabled = no\n"
				   "[partition new]\nenabled = yes\n");
	struct weft_err err = {0};

	ck_assert_int_eq(weft_conf_switched_on(c, "alice", &err), 0);
	ck_assert_int_eq(weft_conf_switched_on(c, NULL, &err), 0);
	is_off(weft_conf_switched_on(c, "bob", &err), &err,
		"weft is switched off for user bob by the site: he knows why", 4,
		"ask ops");
	ck_assert_int_eq(weft_conf_partition_on(c, "new", &err), 0);
	ck_assert_int_eq(weft_conf_partition_on(c, "other", &err), 0);
	is_off(weft_conf_partition_on(c, "old", &err), &err,
		"partition old is switched off for weft by the site", 6, "ask ops");
	weft_conf_free(c);

	c = good("\nenabled = no\nreason = we move house\n");
	is_off(weft_conf_switched_on(c, NULL, &err), &err,
		"weft is switched off by the site: we move house", 2,
		"ask the site's support");
	weft_conf_free(c);
}
END_TEST

static int add_rule(void *ctx, const struct weft_conf_rule *r)
{
	weft_str_printf(ctx, "%s/%s/%s=%s@%s:%u\n", r->section ? r->section : "",
		r->name ? r->name : "", r->key, r->value, r->file ? r->file : "",
		r->line);
	return 0;
}

START_TEST(rules)
{
	struct weft_conf *c = good("[user bob]\nnodes = 2\nenabled = no\n[user alice]\n"
				   "gpus = none\n[limits]\nnodes = 1\ngpus = 3\n");
	weft_autostr struct weft_str all = {0}, bob = {0}, alice = {0};

	ck_assert_int_eq(weft_conf_each_rule(c, add_rule, &all), 0);
	ck_assert_ptr_nonnull(strstr(all.s, "limits//nodes=1@t.conf:7\n"));
	ck_assert_ptr_nonnull(strstr(all.s, "limits//members=none@:0\n"));
	ck_assert_ptr_nonnull(strstr(all.s, "user/bob/nodes=2@t.conf:2\n"));
	ck_assert_ptr_nonnull(strstr(all.s, "user/bob/enabled=no@t.conf:3\n"));
	ck_assert_ptr_nonnull(strstr(all.s, "user/alice/gpus=none@t.conf:5\n"));
	ck_assert_ptr_nonnull(strstr(all.s, "//group_waste=10%@:0\n"));

	ck_assert_int_eq(weft_conf_each_rule_of(c, "bob", add_rule, &bob), 0);
	ck_assert_ptr_null(strstr(bob.s, "limits//nodes"));
	ck_assert_ptr_nonnull(strstr(bob.s, "limits//gpus=3@t.conf:8\n"));
	ck_assert_ptr_nonnull(strstr(bob.s, "user/bob/nodes=2@t.conf:2\n"));
	ck_assert_ptr_null(strstr(bob.s, "alice"));
	ck_assert_int_eq(weft_conf_each_rule_of(c, "alice", add_rule, &alice), 0);
	ck_assert_ptr_nonnull(strstr(alice.s, "user/alice/gpus=none@t.conf:5\n"));
	ck_assert_ptr_null(strstr(alice.s, "limits//gpus"));
	weft_conf_free(c);
}
END_TEST

START_TEST(unknown)
{
	bad("scrach = /tmp\n", 1, "did you mean 'scratch'?");
	bad("\n\nzzzzzzzzzz = 1\n", 3, "unknown key 'zzzzzzzzzz'");
	bad("partition = cpu\n", 1, "below a [role NAME] line");
	bad("env.X = 1\n", 1, "below a [role NAME] line");
	bad("[role training]\nscratch = /x\n", 2, "above the first [section] line");
	bad("[role training]\nparition = x\n", 2, "did you mean 'partition'?");
	bad("[role trainning]\n", 1, "did you mean 'training'?");
	bad("[role]\n", 1, "bad name in [role NAME]");
	bad("[rolex training]\n", 1, "unknown section");
	bad("[queue gpu]\n", 1, "the sections are [limits], [partition NAME]");
	bad("[limits x]\n", 1, "unknown section");
	bad("[user *]\n", 1, "bad name in [user *]");
	bad("[user a b]\n", 1, "bad name");
	bad("[partition]\n", 1, "bad name in [partition NAME]");
	bad("nodes = 1\n", 1, "below a [limits] line");
	bad("[partition gpu]\nnodes = 1\n", 2, "below a [limits] line");
	bad("[user bob]\nnode = 1\n", 2, "did you mean 'nodes'?");
	bad("[limits]\nenabled = no\n", 2, "above the first [section] line");
	bad("[role training\n", 1, "ends with ']'");
	bad("[\n", 1, "ends with ']'");
	bad("[]\n", 1, "unknown section");
	bad("Enabled = yes\n", 1, "unknown key");
}
END_TEST

START_TEST(repeated)
{
	bad("mpi = pmi2\nbind = auto\nmpi = pmi2\n", 3, "mpi is repeated");
	bad("[role training]\n[role steering]\n[role training]\n", 3, "repeated");
	bad("[role training]\nqos = a\nqos = b\n", 3, "qos is repeated");
	bad("[role training]\nenv.A = 1\nenv.A = 2\n", 3, "env.A is repeated");
	bad("[limits]\n[role steering]\n[limits]\n", 3, "[limits] is repeated");
	bad("[user a]\n[user b]\n[user a]\n", 3, "[user a] is repeated");
	bad("[partition a]\n[user a]\n[partition a]\n", 3, "is repeated");
	bad("[user a]\nnodes = 1\nnodes = none\n", 3, "nodes is repeated");
	/* The same key in two sections is two keys. */
	weft_conf_free(good("time = 1h\n[role training]\ntime = 2h\n[role steering]\n"
			    "time = 3h\n"));
}
END_TEST

START_TEST(bad_values)
{
	bad("enabled = true\n", 1, "yes or no");
	bad("bind = yes\n", 1, "auto or none");
	bad("command = weft\n", 1, "absolute path");
	bad("scratch = /tmp/../etc\n", 1, "'..'");
	bad("scratch = /..\n", 1, "'..'");
	bad("run_dir = ..\n", 1, "'..'");
	weft_conf_free(good("scratch = /a..b/c..\n"));
	bad("mpi = none\n", 1, "rank 0");
	bad("mpi = pmi2;id\n", 1, "--mpi=list");
	bad("time = 90\n", 1, "bad duration");
	bad("time = 0s\n", 1, "more than 0");
	bad("[role training]\nmem_per_cpu = 4X\n", 2, "bad size");
	bad("[role training]\nmem_per_cpu = 0\n", 2, "more than 0");
	bad("[role training]\npartition = a b\n", 2, "bad value");
	bad("[role training]\naccount = --uid=0\n", 2, "bad value");
	bad("[role training]\nqos = $(id)\n", 2, "bad value");
	bad("[role training]\nsetup = ./x.sh\n", 2, "absolute path");
	bad("[role training]\nenv.1X = 1\n", 2, "environment variable");
	bad("[role training]\nenv. = 1\n", 2, "environment variable");
	bad("[role training]\nenv.WEFT_STEP = 1\n", 2, "set by weft");
	bad("avoid = ,\n", 1, "avoid names nothing");
	bad("avoid = -x\n", 1, "avoid: bad name '-x'");
	bad("group_waste = 101%\n", 1, "from 0% to 100%");
	bad("group_waste = 10%x\n", 1, "from 0% to 100%");
	bad("group_jobs = 0\n", 1, "whole number from 1");
	bad("job_limit = -1\n", 1, "whole number from 0");
	bad("group_time = 4\n", 1, "bad duration");
	bad("estimate = best\n", 1, "estimate is nodes or will_run, not 'best'");
	bad("bandwidth = 0\n", 1, "more than 0");
	bad("reserve = l3\n", 1, "reserve: bad value 'l3'");
	bad("reserve = l3:1,\n", 1, "reserve: bad value");
	bad("reserve = l3:-1\n", 1, "reserve: bad value");
	bad("reserve = 0,,1\n", 1, "reserve: bad value");
	bad("[role training]\nplace.cpus = far\n", 2,
		"near_gpu, spread or compact, not 'far'");
	bad("[role training]\nplace.smt = 3\n", 2, "1, 2 or all");
	bad("[role training]\npartition = a,b\npartitions = a, c\n", 2,
		"partition b is not one of the role's");
	bad("[limits]\nnodes = 0\n", 2, "whole number from 1, or none");
	bad("[limits]\nnodes = 1.5\n", 2, "whole number from 1, or none");
	bad("[limits]\ntime = 90\n", 2, "bad duration");
	bad("[limits]\nnode_hours = 1e3\n", 2, "number of hours above 0");
	bad("[limits]\nnode_hours = 0\n", 2, "number of hours above 0");
	bad("[limits]\nnode_hours = 1.2.3\n", 2, "number of hours above 0");
	bad("[limits]\nread_roots = /a, b\n", 2, "absolute path");
	bad("[limits]\nwrite_roots = /a/../b\n", 2, "'..'");
	bad("[limits]\naccounts = $x\n", 2, "bad name");
	bad("mpi =\n", 1, "has no value");
	bad("mpi = pmi2 # the best\n", 1, "line of its own");
	bad("mpi = #\n", 1, "line of its own");
	bad("mpi\n", 1, "neither");
	bad("= x\n", 1, "no key");
}
END_TEST

START_TEST(bytes)
{
	static char big[WEFT_CONF_MAX_BYTES + 2];
	char line[5000];

	bad_n("mpi = a\0b\n", 10, 1, "control character 0x00");
	bad("mpi = a\r\n", 1, "Unix line ends");
	bad("# \x1b[31m\n", 1, "control character 0x1b");
	bad("# \xff\xfe\n", 1, "not UTF-8");
	weft_conf_free(good("# caf\xc3\xa9"));

	memset(line, '#', sizeof(line));
	line[4096] = '\0';
	weft_conf_free(good(line));
	line[4096] = '#';
	line[4097] = '\0';
	bad(line, 1, "4096 bytes");

	memset(big, '\n', sizeof(big));
	big[WEFT_CONF_MAX_BYTES] = '\0';
	weft_conf_free(good(big));
	big[WEFT_CONF_MAX_BYTES] = '\n';
	bad_n(big, WEFT_CONF_MAX_BYTES + 1, 0, "65536 bytes");
}
END_TEST

START_TEST(many_env)
{
	weft_autostr struct weft_str s = {0};

	weft_str_add(&s, "[role training]\n");
	for (int i = 0; i < 256; i++)
		weft_str_printf(&s, "env.A%d = x\n", i);
	weft_conf_free(good(s.s));
	weft_str_add(&s, "env.B = x\n");
	bad(s.s, 258, "more than 256");
}
END_TEST

/* What the example offers in comments is read without an error. */
START_TEST(example)
{
	weft_autofree char *text = NULL;
	weft_autoerr struct weft_err err = {0};
	size_t n;

	ck_assert_msg(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, &err) == 0,
		"%s", err.text);
	weft_conf_free(good(text));
	for (char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (s[0] == '#' && ((s[1] >= 'a' && s[1] <= 'z') || s[1] == '['))
			s[0] = ' ';
	}
	struct weft_conf *c = good(text);
	ck_assert_str_eq(c->role[2].partition, "gpu");
	ck_assert_str_eq(c->mpi, "pmi2");
	weft_conf_free(c);
}
END_TEST

/* Whatever bytes there are: an answer, and no harm (VARIANT=san looks on). */
START_TEST(mutated)
{
	weft_autofree char *text = NULL;
	uint64_t seed = 88172645463325252u;
	size_t n;

	ck_assert_int_eq(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '#' && (i == 0 || text[i - 1] == '\n') &&
			text[i + 1] != ' ')
			text[i] = ' ';
	for (int i = 0; i < 20000; i++) {
		struct weft_conf *c;
		size_t at;
		char old;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		at = seed % n;
		old = text[at];
		text[at] = i & 1 ? (char)(seed >> 32) : "\n=#[] .\t"[seed >> 60 & 7];
		if (weft_conf_parse("t.conf", text, (size_t)(seed >> 16) % (n + 1), &c,
			    NULL) == 0)
			weft_conf_free(c);
		else
			ck_assert_ptr_null(c);
		text[at] = old;
	}
}
END_TEST

/* The man page tells every key that the example has. */
START_TEST(man_page)
{
	weft_autofree char *text = NULL, *man = NULL;
	char want[96], key[64];
	size_t n;

	ck_assert_int_eq(
		weft_read_file("conf/weft.conf.example", 65536, &text, &n, NULL), 0);
	ck_assert_int_eq(weft_read_file("man/weft.conf.5", 65536, &man, &n, NULL), 0);
	for (char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (sscanf(s, "#%60[a-z_] = ", key) != 1 || s[strlen(key) + 2] != '=')
			continue;
		snprintf(want, sizeof(want), ".It Cm %s No", key);
		ck_assert_msg(
			strstr(man, want) != NULL, "not in the man page: %s", key);
	}
}
END_TEST

SUITE("conf", defaults, every_key, policy_keys, group_defaults, switches, rules,
	unknown, repeated, bad_values, bytes, many_env, example, mutated, man_page)
