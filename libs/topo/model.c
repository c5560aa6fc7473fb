/* model - the machine's text format: one line a thing, fields in a fixed order.
 * The reader trusts nothing: it may run as root on a file of the cache. */
#include "topo/topo.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"dram", "hbm", "gpu", "cxl"};
static const char *const vendors[] = {"nvidia", "amd", "intel", "other"};
static const char *const links[] = {"none", "ethernet", "verbs", "fabric"};

void weft_machine_free(struct weft_machine *m)
{
	if (!m)
		return;
	free(m->pu);
	free(m->cache);
	free(m->numa);
	free(m->gpu);
	free(m->nic);
	free(m->nvme);
	free(m);
}

/* ---- printing ---------------------------------------------------------- */

/* One word, never empty, of characters that the reader takes. */
static void add_word(struct weft_str *out, const char *s)
{
	if (!*s)
		weft_str_addc(out, '-');
	for (; *s; s++)
		weft_str_addc(out, *s > ' ' && *s < 0x7f ? *s : '_');
}

static void add_cpus(struct weft_str *out, const struct weft_cpuset *s)
{
	char buf[WEFT_MAX_CPUS * 5];
	weft_cpuset_print(s, buf, sizeof(buf));
	weft_str_printf(out, " cpus=%s", *buf ? buf : "-");
}

static bool is_partition(const struct weft_device *d)
{
	return strchr(d->pci, '/');
}

static void add_device(
	struct weft_str *out, const char *what, const struct weft_device *d)
{
	weft_str_printf(out, "%s ", what);
	add_word(out, d->pci);
	weft_str_printf(out, " vendor=%s link=%s package=%u", vendors[d->vendor],
		links[d->link], d->package);
	add_cpus(out, &d->cpus);
	weft_str_add(out, " path=");
	for (unsigned i = 0; i < d->n_path; i++)
		weft_str_printf(out, "%s%u", i ? "." : "", d->path[i]);
	weft_str_add(out, d->n_path ? " name=" : "- name=");
	add_word(out, d->name);
	weft_str_add(out, " uuid=");
	add_word(out, d->uuid);
	if (is_partition(d)) {
		weft_str_add(out, " of=");
		add_word(out, d->parent);
	}
	weft_str_addc(out, '\n');
}

int weft_machine_print(const struct weft_machine *m, struct weft_str *out)
{
	weft_str_add(out, "weft-topology 1\nhost ");
	add_word(out, m->host);
	weft_str_printf(out,
		"\nsize packages=%u l3=%u cores=%u cpus=%zu numa=%zu gpus=%zu "
		"nics=%zu",
		m->n_packages, m->n_l3, m->n_cores, m->n_pus, m->n_numa, m->n_gpus,
		m->n_nics);
	if (m->n_caches)
		weft_str_printf(out, " caches=%zu", m->n_caches);
	if (m->n_nvmes)
		weft_str_printf(out, " nvmes=%zu", m->n_nvmes);
	weft_str_addc(out, '\n');
	for (size_t i = 0; i < m->n_numa; i++) {
		const struct weft_numa *n = &m->numa[i];
		weft_str_printf(out, "numa %zu os=%u kind=%s bytes=%llu", i,
			n->os_index, kinds[n->kind], (unsigned long long)n->bytes);
		add_cpus(out, &n->cpus);
		weft_str_addc(out, '\n');
	}
	for (size_t i = 0; i < m->n_pus;) {
		const struct weft_pu *pu = &m->pu[i];
		struct weft_cpuset cpus = {0};
		for (; i < m->n_pus && m->pu[i].core == pu->core; i++)
			weft_cpuset_add(&cpus, m->pu[i].cpu);
		weft_str_printf(out, "core %u package=%u numa=%u l3=%u", pu->core,
			pu->package, pu->numa, pu->l3);
		add_cpus(out, &cpus);
		weft_str_addc(out, '\n');
	}
	for (size_t i = 0; i < m->n_caches; i++) {
		weft_str_printf(out, "cache level=%u bytes=%llu", m->cache[i].level,
			(unsigned long long)m->cache[i].bytes);
		add_cpus(out, &m->cache[i].cpus);
		weft_str_addc(out, '\n');
	}
	for (size_t i = 0; i < m->n_gpus; i++)
		add_device(out, "gpu", &m->gpu[i]);
	for (size_t i = 0; i < m->n_nics; i++)
		add_device(out, "nic", &m->nic[i]);
	for (size_t i = 0; i < m->n_nvmes; i++)
		add_device(out, "nvme", &m->nvme[i]);
	weft_str_add(out, "end\n");
	return out->failed ? -1 : 0;
}

/* ---- reading ----------------------------------------------------------- */

struct cursor {
	const char *p, *end;
	unsigned line;
	const char *want; /* what did not follow, for the message */
};

/* Every reader below: false, and `want` set, when the text is not that. */
static bool lit(struct cursor *c, const char *s)
{
	size_t n = strlen(s);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, s, n)) {
		c->want = s;
		return false;
	}
	c->p += n;
	if (n && s[n - 1] == '\n')
		c->line++;
	return true;
}

static bool num(struct cursor *c, const char *key, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	const char *start;

	if (!lit(c, key))
		return false;
	start = c->p;
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
		unsigned digit = (unsigned)(*c->p - '0');
		if (digit > max || v > (max - digit) / 10) {
			c->want = key;
			return false;
		}
		v = v * 10 + digit;
	}
	if (c->p == start || (*start == '0' && c->p - start > 1)) {
		c->want = key;
		return false;
	}
	*out = v;
	return true;
}

static bool num_u(struct cursor *c, const char *key, uint64_t max, unsigned *out)
{
	uint64_t v;
	if (!num(c, key, max, &v))
		return false;
	*out = (unsigned)v;
	return true;
}

/* A word up to the next blank or line end, "-" for an empty one. */
static bool word(struct cursor *c, const char *key, char *buf, size_t size)
{
	size_t n = 0;

	if (!lit(c, key))
		return false;
	while (c->p + n < c->end && c->p[n] > ' ' && c->p[n] < 0x7f)
		n++;
	if (!n || n >= size) {
		c->want = key;
		return false;
	}
	memcpy(buf, c->p, n);
	buf[n] = '\0';
	c->p += n;
	if (!strcmp(buf, "-"))
		buf[0] = '\0';
	return true;
}

static bool one_of(struct cursor *c, const char *key, const char *const *names,
	size_t n, unsigned *out)
{
	char buf[16];
	if (!word(c, key, buf, sizeof(buf)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], buf)) {
			*out = (unsigned)i;
			return true;
		}
	c->want = key;
	return false;
}

static bool cpus(struct cursor *c, struct weft_cpuset *set)
{
	char buf[WEFT_MAX_CPUS * 5];
	if (!word(c, " cpus=", buf, sizeof(buf)))
		return false;
	if (weft_cpuset_parse(buf, set))
		return true;
	c->want = " cpus=";
	return false;
}

static bool path(struct cursor *c, struct weft_device *d)
{
	if (!lit(c, " path="))
		return false;
	if (c->p < c->end && *c->p == '-') {
		c->p++;
		return true;
	}
	do {
		if (d->n_path == WEFT_MAX_PATH) {
			c->want = " path=";
			return false;
		}
		if (!num_u(c, d->n_path ? "." : "", 65535, &d->path[d->n_path]))
			return false;
		d->n_path++;
	} while (c->p < c->end && *c->p == '.');
	return true;
}

static bool device(struct cursor *c, const char *what, const struct weft_machine *m,
	struct weft_device *d)
{
	unsigned vendor, link;

	if (!word(c, what, d->pci, sizeof(d->pci)) ||
		!one_of(c, " vendor=", vendors, WEFT_COUNT(vendors), &vendor) ||
		!one_of(c, " link=", links, WEFT_COUNT(links), &link) ||
		!num_u(c, " package=", m->n_packages - 1, &d->package) ||
		!cpus(c, &d->cpus) || !path(c, d) ||
		!word(c, " name=", d->name, sizeof(d->name)) ||
		!word(c, " uuid=", d->uuid, sizeof(d->uuid)) ||
		(is_partition(d) && !word(c, " of=", d->parent, sizeof(d->parent))) ||
		!lit(c, "\n"))
		return false;
	d->vendor = (enum weft_vendor)vendor;
	d->link = (enum weft_nic_link)link;
	return true;
}

/* A count that is there when it isn't 0. */
static bool some(struct cursor *c, const char *key, uint64_t max, uint64_t *out)
{
	*out = 0;
	if ((size_t)(c->end - c->p) < strlen(key) || memcmp(c->p, key, strlen(key)))
		return true;
	if (!num(c, key, max, out))
		return false;
	c->want = key;
	return *out;
}

static bool header(struct cursor *c, struct weft_machine *m)
{
	uint64_t n_pus, n_numa, n_gpus, n_nics, n_caches, n_nvmes;

	if (!lit(c, "weft-topology 1\n") ||
		!word(c, "host ", m->host, sizeof(m->host)) || !lit(c, "\n") ||
		!num_u(c, "size packages=", WEFT_MAX_CPUS, &m->n_packages) ||
		!num_u(c, " l3=", WEFT_MAX_CPUS, &m->n_l3) ||
		!num_u(c, " cores=", WEFT_MAX_CPUS, &m->n_cores) ||
		!num(c, " cpus=", WEFT_MAX_CPUS, &n_pus) ||
		!num(c, " numa=", WEFT_MAX_NUMA, &n_numa) ||
		!num(c, " gpus=", WEFT_MAX_DEVICES, &n_gpus) ||
		!num(c, " nics=", WEFT_MAX_DEVICES, &n_nics))
		return false;
	if (!some(c, " caches=", WEFT_MAX_CPUS, &n_caches) ||
		!some(c, " nvmes=", WEFT_MAX_DEVICES, &n_nvmes) || !lit(c, "\n"))
		return false;
	c->want = "size";
	m->n_pus = n_pus;
	m->n_numa = n_numa;
	m->n_gpus = n_gpus;
	m->n_nics = n_nics;
	m->n_caches = n_caches;
	m->n_nvmes = n_nvmes;
	return m->n_packages && m->n_l3 && m->n_cores && n_pus >= m->n_cores && n_numa;
}

static bool body(struct cursor *c, struct weft_machine *m)
{
	struct weft_cpuset seen = {0};
	uint64_t os_seen[WEFT_MAX_NUMA / 64] = {0};
	size_t n_pus = 0;
	unsigned got, kind;

	for (size_t i = 0; i < m->n_numa; i++) {
		struct weft_numa *n = &m->numa[i];
		if (!num_u(c, "numa ", WEFT_MAX_NUMA - 1, &got) ||
			!num_u(c, " os=", WEFT_MAX_NUMA - 1, &n->os_index) ||
			!one_of(c, " kind=", kinds, WEFT_COUNT(kinds), &kind) ||
			!num(c, " bytes=", UINT64_MAX, &n->bytes) ||
			!cpus(c, &n->cpus) || !lit(c, "\n"))
			return false;
		n->kind = (enum weft_memory_kind)kind;
		uint64_t bit = UINT64_C(1) << (n->os_index % 64);
		c->want = "numa";
		if (got != i || (os_seen[n->os_index / 64] & bit))
			return false;
		os_seen[n->os_index / 64] |= bit;
	}
	for (unsigned i = 0; i < m->n_cores; i++) {
		struct weft_pu core;
		struct weft_cpuset set;
		if (!num_u(c, "core ", WEFT_MAX_CPUS - 1, &core.core) ||
			!num_u(c, " package=", m->n_packages - 1, &core.package) ||
			!num_u(c, " numa=", m->n_numa - 1, &core.numa) ||
			!num_u(c, " l3=", m->n_l3 - 1, &core.l3) || !cpus(c, &set) ||
			!lit(c, "\n"))
			return false;
		c->want = "core";
		int cpu = weft_cpuset_next(&set, 0);
		if (core.core != i || cpu < 0)
			return false;
		for (; cpu >= 0; cpu = weft_cpuset_next(&set, cpu + 1)) {
			core.cpu = (unsigned)cpu;
			if (n_pus == m->n_pus || weft_cpuset_has(&seen, core.cpu) ||
				!weft_cpuset_has(&m->numa[core.numa].cpus, core.cpu))
				return false;
			weft_cpuset_add(&seen, core.cpu);
			m->pu[n_pus++] = core;
		}
	}
	if (n_pus != m->n_pus)
		return false;
	for (size_t i = 0; i < m->n_caches; i++) {
		struct weft_cache *k = &m->cache[i];
		if (!num_u(c, "cache level=", 9, &k->level) ||
			!num(c, " bytes=", UINT64_MAX, &k->bytes) ||
			!cpus(c, &k->cpus) || !lit(c, "\n"))
			return false;
	}
	for (size_t i = 0; i < m->n_gpus; i++)
		if (!device(c, "gpu ", m, &m->gpu[i]))
			return false;
	for (size_t i = 0; i < m->n_nics; i++)
		if (!device(c, "nic ", m, &m->nic[i]))
			return false;
	for (size_t i = 0; i < m->n_nvmes; i++)
		if (!device(c, "nvme ", m, &m->nvme[i]))
			return false;
	if (!lit(c, "end\n"))
		return false;
	c->want = "the end";
	return c->p == c->end;
}

int weft_machine_parse(
	const char *text, size_t n, struct weft_machine **out, struct weft_err *err)
{
	struct cursor c = {text, text + n, 1, ""};
	struct weft_machine *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (!m)
		return weft_err_nomem(err);
	if (!header(&c, m))
		goto bad;
	m->pu = calloc(m->n_pus, sizeof(*m->pu));
	m->numa = calloc(m->n_numa, sizeof(*m->numa));
	m->gpu = calloc(m->n_gpus + 1, sizeof(*m->gpu));
	m->nic = calloc(m->n_nics + 1, sizeof(*m->nic));
	m->nvme = calloc(m->n_nvmes + 1, sizeof(*m->nvme));
	m->cache = calloc(m->n_caches + 1, sizeof(*m->cache));
	if (!m->pu || !m->numa || !m->cache || !m->gpu || !m->nic || !m->nvme) {
		weft_machine_free(m);
		return weft_err_nomem(err);
	}
	if (!body(&c, m))
		goto bad;
	*out = m;
	return 0;
bad:
	weft_machine_free(m);
	return weft_err_set(err, WEFT_EPLACE,
		"not a machine model: line %u: expected '%.*s'", c.line,
		(int)strcspn(c.want, "\n"), c.want);
}
