/*
 * ticket - one line of text, fields in a fixed order, a checksum at the end:
 *
 *   weft-ticket-2 step=train bind=1 ntasks=8 nodes=2 cpus=4 gpus=0.500000 all=0
 *   place=near_gpu memory=local even=0 smt=1 spare=0 mem=2048 sum=0123456789abcdef
 *
 * mem is MiB a task.
 *
 * Security: decode may run as root on a text that a user wrote.  It takes only
 * exactly this form, every number within its range, and yields plain numbers and a
 * name that is printed, never used as a path or a format.  The checksum finds
 * damage; it is no signature, as a forged ticket asks for nothing that its owner
 * could not ask for anyway: CPUs and GPUs inside the step's own allocation.
 */
#include "ticket/ticket.h"

#include <errno.h>
#include <string.h>

#define MAGIC "weft-ticket-2"
#define MAX_TASKS (1u << 24)
#define MAX_MIB (1u << 30) /* a PiB; more is not told */
#define MIB (UINT64_C(1) << 20)
#define SUM_LEN 16

static const char *const cpus_names[] = {"near_gpu", "spread", "compact"};
static const char *const memory_names[] = {"local", "interleave", "none"};

static bool name_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	return *s != '\0';
}

static bool valid(const struct weft_ticket *t)
{
	const struct weft_place_step *p = &t->place;

	return memchr(t->step, '\0', sizeof(t->step)) && name_ok(t->step) &&
	       t->ntasks <= MAX_TASKS && t->nodes <= MAX_TASKS &&
	       p->cpus_per_task <= WEFT_MAX_CPUS && p->gpus_per_task >= 0 &&
	       p->gpus_per_task <= WEFT_MAX_DEVICES && (unsigned)p->cpus < 3 &&
	       (unsigned)p->memory < 3 && p->smt <= 64 &&
	       p->spare_cores <= WEFT_MAX_CPUS;
}

int weft_ticket_encode(const struct weft_ticket *t, struct weft_str *out)
{
	const struct weft_place_step *p = &t->place;
	weft_autostr struct weft_str s = {0};
	char digest[WEFT_DIGEST_HEX];

	if (!valid(t)) {
		errno = EINVAL;
		return -1;
	}
	uint64_t mib = p->mem_per_task / MIB;
	unsigned long micro = (unsigned long)(p->gpus_per_task * 1e6 + 0.5);
	weft_str_printf(&s,
		MAGIC
		" step=%s bind=%d ntasks=%u nodes=%u cpus=%u gpus=%lu.%06lu all=%d"
		" place=%s memory=%s even=%d smt=%u spare=%u mem=%u sum=",
		t->step, t->bind, t->ntasks, t->nodes, p->cpus_per_task,
		micro / 1000000, micro % 1000000, p->gpus_all, cpus_names[p->cpus],
		memory_names[p->memory], p->balance_even, p->smt, p->spare_cores,
		mib <= MAX_MIB ? (unsigned)mib : 0);
	if (s.failed)
		return -1;
	weft_digest(s.s, s.len, digest);
	weft_str_addn(out, s.s, s.len);
	weft_str_addn(out, digest, SUM_LEN);
	return out->failed ? -1 : 0;
}

/* ---- decoding ---------------------------------------------------------- */

/* Every reader below moves *p behind what it took; false: it isn't there. */
static bool lit(const char **p, const char *s)
{
	size_t n = strlen(s);
	if (strncmp(*p, s, n))
		return false;
	*p += n;
	return true;
}

static bool num(const char **p, const char *key, unsigned max, unsigned *out)
{
	unsigned v = 0;
	const char *s;

	if (!lit(p, key))
		return false;
	for (s = *p; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return false;
	}
	if (s == *p || (**p == '0' && s - *p > 1))
		return false;
	*p = s;
	*out = v;
	return true;
}

static bool flag(const char **p, const char *key, bool *out)
{
	unsigned v;
	if (!num(p, key, 1, &v))
		return false;
	*out = v;
	return true;
}

static bool one_of(
	const char **p, const char *key, const char *const *names, unsigned *out)
{
	if (!lit(p, key))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		size_t n = strlen(names[i]);
		if (!strncmp(*p, names[i], n) && (*p)[n] == ' ') {
			*p += n;
			*out = i;
			return true;
		}
	}
	return false;
}

static bool gpus(const char **p, double *out)
{
	unsigned whole, micro = 0;

	if (!num(p, " gpus=", WEFT_MAX_DEVICES, &whole) || !lit(p, "."))
		return false;
	for (int i = 0; i < 6; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		micro = micro * 10 + (unsigned)(**p - '0');
	}
	*out = whole + micro / 1e6;
	return true;
}

static bool step(const char **p, char *name, size_t size)
{
	size_t n;

	if (!lit(p, " step="))
		return false;
	n = strcspn(*p, " ");
	if (!n || n >= size)
		return false;
	memcpy(name, *p, n);
	name[n] = '\0';
	*p += n;
	return name_ok(name);
}

static bool decode(const char *text, struct weft_ticket *t)
{
	struct weft_place_step *s = &t->place;
	char digest[WEFT_DIGEST_HEX];
	const char *p = text;
	unsigned cpus, memory, mib;

	if (!lit(&p, MAGIC) || !step(&p, t->step, sizeof(t->step)) ||
		!flag(&p, " bind=", &t->bind) ||
		!num(&p, " ntasks=", MAX_TASKS, &t->ntasks) ||
		!num(&p, " nodes=", MAX_TASKS, &t->nodes) ||
		!num(&p, " cpus=", WEFT_MAX_CPUS, &s->cpus_per_task) ||
		!gpus(&p, &s->gpus_per_task) || !flag(&p, " all=", &s->gpus_all) ||
		!one_of(&p, " place=", cpus_names, &cpus) ||
		!one_of(&p, " memory=", memory_names, &memory) ||
		!flag(&p, " even=", &s->balance_even) ||
		!num(&p, " smt=", 64, &s->smt) ||
		!num(&p, " spare=", WEFT_MAX_CPUS, &s->spare_cores) ||
		!num(&p, " mem=", MAX_MIB, &mib) || !lit(&p, " sum="))
		return false;
	s->cpus = (enum weft_place_cpus)cpus;
	s->memory = (enum weft_place_memory)memory;
	s->mem_per_task = mib * MIB;
	weft_digest(text, (size_t)(p - text), digest);
	return strlen(p) == SUM_LEN && !memcmp(p, digest, SUM_LEN) && valid(t);
}

int weft_ticket_decode(const char *text, struct weft_ticket *t, struct weft_err *err)
{
	memset(t, 0, sizeof(*t));
	if (strnlen(text, WEFT_TICKET_MAX + 1) > WEFT_TICKET_MAX)
		return weft_err_set(err, WEFT_EPLACE, "%s is longer than %d bytes",
			WEFT_TICKET_ENV, WEFT_TICKET_MAX);
	if (decode(text, t))
		return 0;
	memset(t, 0, sizeof(*t));
	return weft_err_set(err, WEFT_EPLACE,
		"%s is not a ticket of this version of weft, or was altered",
		WEFT_TICKET_ENV);
}
