/* cmd_topo.c - `weft topo`: the machine as placement sees it, and its cache */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/discover.h"
#include "common_topology.h"

struct options {
	const char *xml, *from, *dir, *root, *node;
	int64_t timeout;
	bool cached, once;
};

static const char *const kinds[] = {"DRAM", "HBM", "GPU", "CXL"};

static void add_count(struct weft_str *out, size_t n, const char *what)
{
	weft_str_printf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

/* ", 8 L3 caches of 32M" for each level and size that cores share. */
static void add_caches(struct weft_str *out, const struct weft_machine *m)
{
	for (size_t i = 0; i < m->n_caches; i++) {
		const struct weft_cache *c = &m->cache[i];
		char size[WEFT_UNIT_MAX];
		size_t n = 0;
		bool first = true;

		for (size_t k = 0; k < m->n_caches; k++)
			if (m->cache[k].level == c->level &&
				m->cache[k].bytes == c->bytes) {
				first &= k >= i;
				n++;
			}
		if (first)
			weft_str_printf(out, ", %zu L%u cache%s of %s", n, c->level,
				n == 1 ? "" : "s", weft_format_size(size, c->bytes));
	}
}

/* "0000:07:00.0 mlx5_0" of each device near these CPUs. */
static char *near(struct weft_arena *a, const struct weft_device *d, size_t n,
	const struct weft_cpuset *cpus)
{
	weft_autostr struct weft_str s = {0};

	for (size_t i = 0; i < n; i++)
		if (weft_cpuset_meets(&d[i].cpus, cpus))
			weft_str_printf(&s, "%s%s%s%s", s.len ? ", " : "", d[i].pci,
				*d[i].name ? " " : "", d[i].name);
	return s.failed ? NULL : weft_arena_strdup(a, s.len ? s.s : "-");
}

static int add_rows(
	struct weft_table *t, struct weft_arena *a, const struct weft_machine *m)
{
	char *cpus = weft_arena_alloc(a, WEFT_MAX_CPUS * 5);

	if (!cpus)
		return -1;
	for (size_t i = 0; i < m->n_numa; i++) {
		const struct weft_numa *n = &m->numa[i];
		char size[WEFT_UNIT_MAX];

		weft_cpuset_print(&n->cpus, cpus, WEFT_MAX_CPUS * 5);
		const char *cell[] = {weft_arena_printf(a, "%u", n->os_index),
			kinds[n->kind],
			weft_arena_strdup(a, weft_format_size(size, n->bytes)),
			weft_arena_strdup(a, *cpus ? cpus : "-"),
			near(a, m->gpu, m->n_gpus, &n->cpus),
			near(a, m->nic, m->n_nics, &n->cpus),
			near(a, m->nvme, m->n_nvmes, &n->cpus)};
		for (size_t k = 0; k < WEFT_COUNT(cell); k++)
			if (!cell[k])
				return -1;
		if (weft_table_row(t, cell))
			return -1;
	}
	return 0;
}

static int show(const struct weft_machine *m, const char *source)
{
	static const char *const head[] = {
		"NUMA", "MEMORY", "SIZE", "CPUS", "GPUS", "NICS", "NVME"};
	struct weft_style style = cmd_style(stdout);
	struct weft_table *t = weft_table_new(WEFT_COUNT(head), head);
	struct weft_arena a = {0};
	struct weft_str out = {0};

	weft_str_printf(&out, "%s: ", *m->host ? m->host : "unnamed");
	add_count(&out, m->n_packages, "package");
	weft_str_add(&out, ", ");
	add_count(&out, m->n_cores, "core");
	weft_str_add(&out, ", ");
	add_count(&out, m->n_pus, "hardware thread");
	weft_str_add(&out, ", ");
	add_count(&out, m->n_gpus, "GPU");
	add_caches(&out, m);
	weft_str_printf(&out, " (%s)\n", source);
	if (!t || add_rows(t, &a, m))
		out.failed = true;
	else
		weft_table_print(t, &style, &out);
	weft_table_free(t);
	weft_arena_free(&a);
	return cmd_print(&out);
}

static int load(const struct options *o, bool fresh, struct weft_machine **m,
	const char **source, struct weft_err *err)
{
	bool cached = false;
	int rc;

	*source = o->xml ? o->xml : o->from ? o->from : o->node;
	if (o->from)
		return cmd_topology_file(o->from, m, err);
	if (o->node)
		return cmd_topology_node(o->node, m, NULL, err);
	fresh |= o->xml || o->root || o->timeout;
	rc = fresh ? weft_topo_discover_from(&(struct weft_topo_source){o->xml, o->root,
						     (unsigned)o->timeout},
			     m, err)
		   : cmd_topology_here(m, &cached, err);
	if (*source)
		return rc;
	*source = "as found now";
	if (!rc && cached)
		*source = (*m)->borrowed ? "cached, another machine's" : "cached";
	return rc;
}

static int dump(const struct weft_machine *m)
{
	struct weft_str out = {0};

	weft_machine_print(m, &out);
	return cmd_print(&out);
}

static int cache(
	const struct options *o, const struct weft_machine *m, struct weft_err *err)
{
	struct weft_conf *conf = NULL;
	bool borrowed = !cmd_topology_is_mine(m);
	int rc;

	if (geteuid() != 0)
		return weft_err_set(err, WEFT_EUSAGE,
			"only root writes the cache: slurmstepd trusts nobody else's");
	if (!o->dir && cmd_site_conf(&conf, err))
		return -1;
	const char *dir = o->dir ? o->dir : conf->cache;
	rc = weft_machine_save_cache(dir, m, borrowed, err);
	/* What was written must be what slurmstepd takes. */
	struct weft_machine *again = NULL;
	if (!rc && weft_machine_load_cache(dir, &again, err))
		rc = err->text ? -1
			       : weft_err_set(err, WEFT_EPLACE, "%s: gone again", dir);
	weft_machine_free(again);
	if (!rc)
		printf("%s/topology: %zu cores, %zu GPUs%s\n", dir, (size_t)m->n_cores,
			m->n_gpus, borrowed ? ", another machine's" : "");
	weft_conf_free(conf);
	return rc;
}

/* One that slurmstepd would take: what is wrong with another is told when it is made
 * anew. */
static bool has_good_cache(const char *dir)
{
	struct weft_machine *m = NULL;
	struct weft_conf *conf = NULL;
	bool good = (dir || cmd_site_conf(&conf, NULL) == 0) &&
		    weft_machine_load_cache(dir ? dir : conf->cache, &m, NULL) == 0;

	weft_machine_free(m);
	weft_conf_free(conf);
	return good;
}

static int topo_run(int argc, char **argv);

WEFT_VERB(topo, .name = "topo", .synopsis = "[show|dump|cache] [OPTION...]",
	.summary = "Shows and caches the machine's topology",
	.help = "  show        a table of NUMA nodes and what is near them (default)\n"
		"  dump        the model as text, always found anew\n"
		"  cache       keep it for the plug-in, once a boot (root)\n"
		"\n"
		"  --xml FILE  an hwloc XML file (lstopo) instead of this machine\n"
		"  --from FILE the model of another `weft topo dump`\n"
		"  --node NAME another node of the cluster, which is asked by srun\n"
		"  --root DIR  where the GPU drivers' files of /proc and /sys are\n"
		"  --cached    dump: what the plug-in goes by, from the cache where it "
		"is good\n"
		"  --timeout S give up after so many seconds (default 60)\n"
		"  --dir DIR   cache: the folder, instead of weft.conf's\n"
		"  --once      cache: nothing to do where a good one is there\n",
	.order = 70, .run = topo_run);

/* What is wrong with the options for this part of the verb; NULL: nothing. */
static const char *misused(const struct options *o, const char *what)
{
	bool show = weft_streq(what, "show"), dumps = weft_streq(what, "dump"),
	     caches = weft_streq(what, "cache");

	if (!show && !dumps && !caches)
		return "there are: show, dump, cache";
	if (o->from && (o->xml || o->root || o->timeout))
		return "--from excludes --xml, --root and --timeout: it has all";
	if (o->node && (caches || o->xml || o->from || o->root || o->timeout))
		return "--node stands alone, and the node keeps its own cache";
	if (o->cached && (!dumps || o->xml || o->from || o->root || o->node))
		return "--cached belongs to dump, of this machine";
	if ((o->dir || o->once) && !caches)
		return "--dir and --once belong to cache";
	return NULL;
}

static int topo_run(int argc, char **argv)
{
	static const struct option longopts[] = {{"xml", required_argument, NULL, 'x'},
		{"from", required_argument, NULL, 'f'},
		{"node", required_argument, NULL, 'n'},
		{"root", required_argument, NULL, 'r'},
		{"timeout", required_argument, NULL, 't'},
		{"cached", no_argument, NULL, 'c'}, {"once", no_argument, NULL, 'o'},
		{"dir", required_argument, NULL, 'd'}, {0}};
	struct options o = {0};
	struct weft_machine *m = NULL;
	struct weft_err err = {0};
	const char *source;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_topo, argc, argv, "", longopts, &status)) != -1) {
		switch (c) {
		case 'x':
			o.xml = optarg;
			break;
		case 'f':
			o.from = optarg;
			break;
		case 'd':
			o.dir = optarg;
			break;
		case 'n':
			o.node = optarg;
			break;
		case 'r':
			o.root = optarg;
			break;
		case 'o':
			o.once = true;
			break;
		case 'c':
			o.cached = true;
			break;
		case 't':
			if (!weft_parse_int(optarg, 1, 3600, &o.timeout))
				return cmd_usage(
					&verb_topo, "--timeout: 1 to 3600 seconds");
			break;
		default:
			return status;
		}
	}
	const char *what = optind < argc ? argv[optind] : "show";
	const char *bad =
		argc - optind > 1 ? "one of show, dump, cache" : misused(&o, what);
	if (bad)
		return cmd_usage(&verb_topo, "%s", bad);
	if (o.once && has_good_cache(o.dir))
		return 0;
	if (load(&o, !weft_streq(what, "show") && !o.cached, &m, &source, &err))
		return cmd_fail(&err);
	if (weft_streq(what, "show"))
		status = show(m, source);
	else if (weft_streq(what, "dump"))
		status = dump(m);
	else if (cache(&o, m, &err))
		status = cmd_fail(&err);
	weft_machine_free(m);
	return status;
}
