/*
 * A million requests, mutated and random, into jobs with all that can be typed: nothing
 * crashes, leaks, or changes what was typed, and every refusal is told.
 *
 * WEFT_TEST_SEED=N makes the same run again; WEFT_TEST_REQUESTS=N is their number.
 */
#include <time.h>
#include <unistd.h>

#include "../tools/fake_slurmctld.h"
#include "request/request.h"
#include "suite.h"

static uint64_t state;

/* xorshift64*. Source: Vigna, "An experimental exploration of Marsaglia's generators".
 */
static uint32_t chance(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) % n;
}

static const char *const words[] = {" step=train", " role=training", " role=analysis",
	" partition=gpu,cpu", " account=phys", " qos=high", " reservation=r",
	" nodes=2", " nodes_given=1", " ntasks=8", " ntasks_per_node=4",
	" cpus_per_task=3", " gpus=3", " gpus_per_node=4", " gpu_type=a100",
	" mem=2048", " tmp=7", " time=90", " constraint=[a*2]|b", " exclude=c[1-9]",
	" nodelist=c2", " licenses=l:2", " gres=tape:1,disk", " exclusive=1",
	" array=100", " max_parallel=12", " nodes=1073741824", " cpus_per_task=65000",
	" ntasks=1073741824", " gpus=4294967295", " mem=0", " =", " x=", "  ", "%s%n",
	"weft-request-2"};

/* A request as weft writes it, with some words left out. */
static size_t written(char *to, size_t size)
{
	size_t n = (size_t)snprintf(
		to, size, "WEFT_REQUEST=weft-request-1 step=train role=training");

	for (size_t i = 3; i < 26; i++)
		if (chance(2))
			n += (size_t)snprintf(to + n, size - n, "%s", words[i]);
	return n;
}

static size_t shuffled(char *to, size_t size)
{
	size_t n = (size_t)snprintf(to, size, "WEFT_REQUEST=weft-request-1");

	for (uint32_t k = chance(12); k > 0; k--)
		n += (size_t)snprintf(
			to + n, size - n, "%s", words[chance(WEFT_COUNT(words))]);
	return n;
}

static size_t noise(char *to, size_t size)
{
	size_t n = (size_t)snprintf(
		to, size, "WEFT_REQUEST=%s", chance(2) ? "weft-request-1 step=" : "");
	size_t end = n + chance(chance(64) ? 80 : 5000);

	while (n < end && n + 1 < size)
		to[n++] = (char)(1 + chance(255));
	to[n] = '\0';
	return n;
}

static void mutate(char *s, size_t n)
{
	for (uint32_t k = chance(4); k > 0 && n > 13; k--) {
		size_t at = 13 + chance((uint32_t)n - 13);

		switch (chance(4)) {
		case 0:
			s[at] = (char)(1 + chance(255));
			break;
		case 1:
			s[at] = "0129 =,:-"[chance(9)];
			break;
		case 2:
			s[at] = '\0';
			return;
		default:
			memmove(s + at, s + at + 1, n - at);
			n--;
		}
	}
}

/* What a user may have typed, each now and then. */
static void type(job_desc_msg_t *job)
{
	static const char *const tres[] = {"gres:gpu:1", "gres:gpu:a100:2,gres:x",
		"gres:disk:1", "gpu", ":", "", "gres:gpu:99999999999999999999",
		"gres:gpu:-1;gres:gpu"};

#define X(field)                                                                       \
	if (!job->field && chance(12) == 0)                                            \
		job->field = slurm_xstrdup(tres[chance(WEFT_COUNT(tres))]);
	CTL_TEXTS
#undef X
#define X(field, unset)                                                                \
	if (chance(8) == 0)                                                            \
		job->field = (__typeof__(job->field))(chance(4) ? chance(20)           \
								: chance(UINT32_MAX));
	CTL_NUMBERS
#undef X
	if (chance(16) == 0)
		job->het_job_offset = chance(3);
	if (chance(16) == 0)
		job->overcommit = (uint8_t)chance(3);
	if (chance(16) == 0)
		job->sockets_per_node = (uint16_t)chance(65536);
	if (chance(16) == 0) {
		slurm_xfree_ptr(job->script);
		job->script = NULL;
	}
	if (chance(32) == 0) {
		slurm_xfree_ptr(job->environment[1]);
		job->environment[1] = NULL;
	}
	if (chance(64) == 0) {
		slurm_xfree_ptr(job->spank_job_env[0]);
		job->spank_job_env[0] =
			chance(2) ? NULL : slurm_xstrdup("WEFT_REQUEST=");
	}
}

static void one(size_t number, size_t *taken)
{
	char request[8192], *msg = NULL;
	job_desc_msg_t job, before;
	uint32_t kind = chance(8);
	size_t n;

	n = kind < 5    ? written(request, sizeof(request))
	    : kind == 5 ? shuffled(request, sizeof(request))
			: noise(request, sizeof(request));
	if (kind > 1)
		mutate(request, n);
	ctl_job(&job, chance(64) ? request : NULL);
	type(&job);
	before = job;
	int rc = job_submit(&job, 1000, &msg);
	const char *changed = ctl_changed(&before, &job);

	*taken += rc == SLURM_SUCCESS && msg;
	/* Check notes each assertion in a file: only those that fail are told. */
	if (rc != SLURM_SUCCESS && !msg)
		ck_abort_msg("%zu: refused without a word: %s", number, request);
	if (changed)
		ck_abort_msg("%zu: %s was changed: %s", number, changed, request);
	slurm_xfree_ptr(msg);
	ctl_job_free(&job);
	if (ctl_blocks)
		ck_abort_msg("%zu: %ld leaked: %s", number, ctl_blocks, request);
}

START_TEST(million)
{
	const char *seed = getenv("WEFT_TEST_SEED"),
		   *count = getenv("WEFT_TEST_REQUESTS");
	const char *variant = getenv("VARIANT");
	bool san = variant && strcmp(variant, "san") == 0;
	size_t n = count ? strtoul(count, NULL, 10) : san ? 100000 : 1000000;
	size_t taken = 0;

	state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	printf("seed  %ju\n", (uintmax_t)state);
	fflush(stdout);
	state = state * UINT64_C(0x9e3779b97f4a7c15) | 1;
	unsetenv("WEFT_CONF");
	ck_assert_int_eq(init(), SLURM_SUCCESS);
	for (size_t i = 0; i < n; i++)
		one(i, &taken);
	fini();
	printf("took  %zu of %zu requests\n", taken, n);
	/* Both ways are to be gone, often. */
	ck_assert_uint_gt(taken, n / 20);
	ck_assert_uint_lt(taken, n - n / 10);
}
END_TEST

SUITE("submit_million", million)
