/* reserve - the cores that a site keeps for the system: no task gets them. */
#include "topo/topo.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"l3", "numa", "package", "first", "last"};
enum kind { L3, NUMA, PACKAGE, FIRST, LAST };

static unsigned group_of(const struct weft_pu *pu, enum kind k)
{
	return k == L3 ? pu->l3 : k == NUMA ? pu->numa : pu->package;
}

/* All threads of a core, whose first is pu[i]. */
static size_t take_core(struct weft_machine *m, size_t i, struct weft_cpuset *set)
{
	unsigned core = m->pu[i].core;

	for (; i < m->n_pus && m->pu[i].core == core; i++)
		weft_cpuset_add(set, m->pu[i].cpu);
	return i;
}

static size_t skip_core(const struct weft_machine *m, size_t i)
{
	unsigned core = m->pu[i].core;

	while (i < m->n_pus && m->pu[i].core == core)
		i++;
	return i;
}

/* The first n cores of each cache, NUMA node or package.  A cache that is shared over
 * NUMA nodes is one; cores of a group may stand apart in the list. */
static void first_of_each(
	struct weft_machine *m, enum kind k, unsigned n, struct weft_cpuset *set)
{
	unsigned had[WEFT_MAX_CPUS] = {0};

	for (size_t i = 0; i < m->n_pus;) {
		unsigned *have = &had[group_of(&m->pu[i], k) % WEFT_MAX_CPUS];

		if (*have >= n) {
			i = skip_core(m, i);
			continue;
		}
		++*have;
		i = take_core(m, i, set);
	}
}

/* The i-th core of a package, from its front or its end: its first thread, or SIZE_MAX.
 */
static size_t core_of(
	const struct weft_machine *m, unsigned package, unsigned nth, bool from_end)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->n_pus; i = skip_core(m, i))
		n += m->pu[i].package == package;
	if (nth >= n)
		return SIZE_MAX;
	if (from_end)
		nth = n - 1 - nth;
	for (size_t i = 0; i < m->n_pus; i = skip_core(m, i))
		if (m->pu[i].package == package && nth-- == 0)
			return i;
	return SIZE_MAX;
}

/* As Slurm chooses specialized cores: one of each socket in turn, the last ones of the
 * last socket first, or with spec_cores_first the other way round. */
static void as_slurm(
	struct weft_machine *m, bool from_end, unsigned n, struct weft_cpuset *set)
{
	for (unsigned nth = 0; n && nth < m->n_cores; nth++)
		for (unsigned p = 0; n && p < m->n_packages; p++) {
			unsigned package = from_end ? m->n_packages - 1 - p : p;
			size_t i = core_of(m, package, nth, from_end);

			if (i == SIZE_MAX)
				continue;
			take_core(m, i, set);
			n--;
		}
}

/* "l3:1"; false: it isn't one. */
static bool parse_kind(const char *s, size_t n, enum kind *k, unsigned *count)
{
	char buf[32];
	int64_t v;

	for (size_t i = 0; i < WEFT_COUNT(kinds); i++) {
		size_t len = strlen(kinds[i]);

		if (n <= len + 1 || n - len - 1 >= sizeof(buf) || s[len] != ':' ||
			strncmp(s, kinds[i], len))
			continue;
		memcpy(buf, s + len + 1, n - len - 1);
		buf[n - len - 1] = '\0';
		if (!weft_parse_int(buf, 1, WEFT_MAX_CPUS, &v))
			return false;
		*k = (enum kind)i;
		*count = (unsigned)v;
		return true;
	}
	return false;
}

static bool parse_cpus(const char *s, size_t n, struct weft_cpuset *set)
{
	char buf[32];
	struct weft_cpuset cpus;

	if (!n || n >= sizeof(buf))
		return false;
	memcpy(buf, s, n);
	buf[n] = '\0';
	if (!weft_cpuset_parse(buf, &cpus))
		return false;
	weft_cpuset_merge(set, &cpus);
	return true;
}

int weft_machine_reserve(struct weft_machine *m, const char *what, struct weft_err *err)
{
	struct weft_cpuset set = {0};

	for (const char *s = what; !weft_streq(what, "none");) {
		size_t n = strcspn(s, ",");
		enum kind k = L3;
		unsigned count = 0;

		if (parse_kind(s, n, &k, &count)) {
			if (m && k <= PACKAGE)
				first_of_each(m, k, count, &set);
			else if (m)
				as_slurm(m, k == LAST, count, &set);
		} else if (!parse_cpus(s, n, &set)) {
			weft_err_set(err, WEFT_EUSAGE,
				"'%.*s' is not what cores can be reserved by", (int)n,
				s);
			return weft_err_hint(err,
				"l3:N, numa:N, package:N: the first N of each; "
				"first:N, last:N: as Slurm's specialized cores; CPUs "
				"like 0,8-9; none");
		}
		s += n;
		if (!*s)
			break;
		s++;
	}
	if (m)
		m->reserved = set;
	return 0;
}
