/*
 * driver.c - runs a fuzz target without libFuzzer; speaks its options.
 *
 * usage: TARGET [-runs=N] [-seed=N] [-max_total_time=SECONDS] [-max_len=BYTES]
 *               [-timeout=SECONDS] [-artifact_prefix=PREFIX] [-seed_inputs=FILE,...]
 *               [FOLDER|FILE...]
 *
 * Files alone: each is run once.  With a folder: its files and those of seed_inputs are
 * the seeds, and changed copies are run, the same ones for the same seed.  An input
 * that ends the process is saved before.  Where the compiler counts
 * (-fsanitize-coverage=trace-pc), an input that reaches something new becomes a seed,
 * kept in the first folder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

struct input {
	uint8_t *data;
	size_t n;
};

static struct {
	uint64_t runs, seed, seconds, max_len, timeout;
	const char *prefix, *keep; /* keep: the first folder */
	bool folders;
} opt = {.seed = 1, .max_len = 65536, .timeout = 20, .prefix = ""};

static struct input *pool;
static size_t n_pool, cap_pool;
static struct input now; /* what the target has */
static char saved[512];  /* the name that it would get */

/* ---- the end ----------------------------------------------------------------- */

/* Async-signal-safe but for the name, which is made before. */
static void save(void)
{
	static bool done;

	if (done || !*saved)
		return;
	done = true;
	int fd = open(saved, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		(void)!write(fd, now.data, now.n);
		close(fd);
	}
	static const char text[] = "fuzz: the input is ";
	(void)!write(2, text, sizeof(text) - 1);
	(void)!write(2, saved, strlen(saved));
	(void)!write(2, "\n", 1);
}

static void on_signal(int sig)
{
	static const char late[] = "fuzz: no end within the time of a run\n";

	if (sig == SIGALRM)
		(void)!write(2, late, sizeof(late) - 1);
	save();
	signal(sig == SIGALRM ? SIGABRT : sig, SIG_DFL);
	raise(sig == SIGALRM ? SIGABRT : sig);
}

/* Present where a sanitizer is linked. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*f)(void));

/* gcc's other sanitizer calls this; it doesn't know of the callback. */
void __ubsan_on_report(void);
void __ubsan_on_report(void)
{
	save();
}

static void catch_all(void)
{
	static const int signals[] = {
		SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM, SIGTRAP};
	static char stack[65536]; /* the usual one may be what ran out */
	stack_t st = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(save);
		/* Its own report of a bad access says more. */
		sigaction(SIGABRT, &sa, NULL);
		sigaction(SIGALRM, &sa, NULL);
		return;
	}
	sigaltstack(&st, NULL);
	for (size_t i = 0; i < WEFT_COUNT(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

/* ---- coverage ---------------------------------------------------------------- */

#define MAP (1u << 16)
static uint8_t reached[MAP];
static bool something_new;

void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	size_t at = (pc ^ pc >> 16) % MAP;

	something_new |= !reached[at];
	reached[at] = 1;
}

/* ---- one run ----------------------------------------------------------------- */

static void run(const uint8_t *data, size_t n)
{
	char hex[WEFT_DIGEST_HEX];

	now = (struct input){(uint8_t *)data, n};
	weft_digest(data, n, hex);
	snprintf(saved, sizeof(saved), "%scrash-%s", opt.prefix, hex);
	alarm((unsigned)opt.timeout);
	LLVMFuzzerTestOneInput(data, n);
	alarm(0);
	*saved = '\0';
}

static void add(const uint8_t *data, size_t n)
{
	fuzz_must(weft_grow(pool, n_pool, cap_pool) == 0);
	pool[n_pool++] = (struct input){(uint8_t *)fuzz_bytes(data, n), n};
}

static void keep(const uint8_t *data, size_t n)
{
	char hex[WEFT_DIGEST_HEX];

	add(data, n);
	weft_digest(data, n, hex);
	weft_autofree char *path = weft_printf("%s/%s", opt.keep, hex);
	weft_autofclose FILE *f = path ? fopen(path, "w") : NULL;
	if (f)
		fwrite(data, 1, n, f);
}

/* ---- changes ----------------------------------------------------------------- */

static uint64_t state;

static size_t roll(size_t n) /* 0 .. n-1 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (size_t)((state * UINT64_C(0x2545F4914F6CDD1D)) >> 20) % n : 0;
}

static uint8_t *buf; /* the copy that is changed; room for max_len */
static size_t len;

/* Puts n bytes in place of `cut` at `at`; what doesn't fit is left out. */
static void put(size_t at, size_t cut, const void *bytes, size_t n)
{
	uint8_t copy[4096];

	if (n > sizeof(copy))
		n = sizeof(copy);
	if (cut > len - at)
		cut = len - at;
	if (len - cut + n > opt.max_len)
		return;
	if (n)
		memcpy(copy, bytes, n); /* it may be a part of buf */
	memmove(buf + at + n, buf + at + cut, len - at - cut);
	if (n)
		memcpy(buf + at, copy, n);
	len = len - cut + n;
}

/* The next place from a random one where a token of this kind begins; its length. */
static size_t token(const uint8_t *s, size_t n, bool digits, size_t *length)
{
	size_t i = roll(n), k;

	for (; i < n; i++)
		if (digits ? s[i] >= '0' && s[i] <= '9'
			   : s[i] > ' ' && s[i] != ',' && s[i] != ':')
			break;
	for (k = i; k < n && k < i + 64; k++)
		if (digits ? s[k] < '0' || s[k] > '9'
			   : s[k] <= ' ' || s[k] == ',' || s[k] == ':')
			break;
	*length = k - i;
	return i;
}

static size_t line_at(const uint8_t *s, size_t n, size_t *length)
{
	size_t i = roll(n);

	while (i > 0 && s[i - 1] != '\n')
		i--;
	const uint8_t *nl = n > i ? memchr(s + i, '\n', n - i) : NULL;
	*length = nl ? (size_t)(nl - s) + 1 - i : n - i;
	return i;
}

static void change(void)
{
	static const char *const numbers[] = {"0", "-1", "1", "2", "7", "00", "255",
		"256", "4095", "4096", "65535", "65536", "1000000", "2147483647",
		"2147483648", "4294967295", "4294967296", "9223372036854775807",
		"9223372036854775808", "18446744073709551615", "18446744073709551616",
		"1e308", "1e999", "0.5", "nan", "1-0", "1-4294967295"};
	static const char marks[] = "{}[]()<>\"'`$\\|&;:,.-=#@*%!?/~ \t\n\0\377\302";
	const struct input *other = &pool[roll(n_pool)];
	size_t at = roll(len + 1), n, from;
	uint8_t byte;

	switch (roll(12)) {
	case 0:
		if (len)
			buf[roll(len)] ^= (uint8_t)(1u << roll(8));
		break;
	case 1:
		byte = (uint8_t)roll(256);
		put(at, roll(2), &byte, 1);
		break;
	case 2:
		put(at, roll(2), &marks[roll(sizeof(marks) - 1)], 1);
		break;
	case 3:
		put(at, 1 + roll(roll(4) ? 8 : len + 1), "", 0);
		break;
	case 4: /* a piece of its own, again */
		from = roll(len + 1);
		put(at, 0, buf + from, roll(1 + roll(len - from + 1)));
		break;
	case 5: /* a piece of another */
		from = roll(other->n + 1);
		put(at, roll(2) ? roll(32) : 0, other->data + from,
			roll(1 + roll(other->n - from + 1)));
		break;
	case 6:
	case 7:
		from = token(buf, len, true, &n);
		const char *s = numbers[roll(WEFT_COUNT(numbers))];
		put(from, n, s, strlen(s));
		break;
	case 8: { /* a word of another for one of its own */
		size_t m, there = token(other->data, other->n, false, &m);

		from = token(buf, len, false, &n);
		put(from, n, other->data + there, m);
		break;
	}
	case 9: /* a line less, or twice */
		from = line_at(buf, len, &n);
		if (roll(2))
			put(from, n, "", 0);
		else
			put(from, 0, buf + from, n);
		break;
	case 10: { /* a line of another */
		size_t m, there = line_at(other->data, other->n, &m);

		from = line_at(buf, len, &n);
		put(from, roll(2) ? n : 0, other->data + there, m);
		break;
	}
	default: /* the same thing many times */
		for (size_t i = 1 + roll(60); i > 0; i--)
			put(at, 0, buf + at, roll(8) < len - at ? 8 : 0);
	}
}

static uint64_t fuzz(void)
{
	uint64_t i;
	time_t end = time(NULL) + (time_t)opt.seconds;

	buf = malloc(opt.max_len + 1);
	fuzz_must(buf);
	/* So that like seeds don't give like beginnings. */
	state = opt.seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	for (i = 0; !opt.runs || i < opt.runs; i++) {
		const struct input *in = &pool[roll(n_pool)];

		if (opt.seconds && i % 64 == 0 && time(NULL) >= end)
			break;
		len = in->n < opt.max_len ? in->n : opt.max_len;
		if (len)
			memcpy(buf, in->data, len);
		for (size_t k = 1 + roll(1 + roll(6)); k > 0; k--)
			change();
		uint8_t *exact = (uint8_t *)fuzz_bytes(buf, len);
		something_new = false;
		run(exact, len);
		if (something_new && opt.keep)
			keep(exact, len);
		free(exact);
	}
	free(buf);
	return i;
}

/* ---- start ------------------------------------------------------------------- */

static void load(const char *path)
{
	struct weft_err err = {0};
	char *data;
	size_t n;

	if (weft_read_file(path, 16u << 20, &data, &n, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	add((uint8_t *)data, n);
	free(data);
}

static void load_all(const char *dir)
{
	struct dirent **e;
	int n = scandir(dir, &e, NULL, alphasort); /* the order is part of the seed */

	for (int i = 0; i < n; i++) {
		weft_autofree char *path = weft_path_join(dir, e[i]->d_name);

		if (e[i]->d_name[0] != '.' && path)
			load(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

static bool number(const char *arg, const char *name, uint64_t *out)
{
	int64_t v;

	if (!weft_starts_with(arg, name))
		return false;
	if (!weft_parse_int(arg + strlen(name), 0, INT64_MAX, &v)) {
		fprintf(stderr, "%s: not a number\n", arg);
		exit(2);
	}
	*out = (uint64_t)v;
	return true;
}

static void load_list(const char *list)
{
	for (size_t n; n = strcspn(list, ","), *list; list += n + (list[n] == ',')) {
		weft_autofree char *path = strndup(list, n);

		fuzz_must(path);
		load(path);
	}
}

static void option(const char *arg)
{
	if (number(arg, "-runs=", &opt.runs) || number(arg, "-seed=", &opt.seed) ||
		number(arg, "-max_total_time=", &opt.seconds) ||
		number(arg, "-max_len=", &opt.max_len) ||
		number(arg, "-timeout=", &opt.timeout))
		return;
	if (weft_starts_with(arg, "-artifact_prefix="))
		opt.prefix = strchr(arg, '=') + 1;
	else if (weft_starts_with(arg, "-seed_inputs="))
		load_list(strchr(arg, '=') + 1);
	/* The rest is for libFuzzer alone. */
}

int main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-') {
			option(argv[i]);
		} else if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			if (!opt.keep)
				opt.keep = argv[i];
			opt.folders = true;
			load_all(argv[i]);
		} else {
			load(argv[i]);
		}
	}
	catch_all();
	something_new = false;
	for (size_t i = 0; i < n_pool; i++)
		run(pool[i].data, pool[i].n);
	printf("%zu inputs", n_pool);
	if (!n_pool)
		add((const uint8_t *)"", 0);
	if (opt.folders && (opt.runs || opt.seconds)) {
		printf(", %" PRIu64 " changed ones, seed %" PRIu64, fuzz(), opt.seed);
	}
	printf(": no finding\n");
	for (size_t i = 0; i < n_pool; i++)
		free(pool[i].data);
	free(pool);
	return 0;
}
