/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
	"Usage: gray-scott [OPTION]... -o DIR\n"
	"       mpirun -n 4 gray-scott --feed 0.037 --kill 0.060 -o DIR\n"
	"\n"
	"Solves the Gray-Scott reaction-diffusion equations on a periodic square.\n"
	"\n"
	"  -o, --out DIR        folder for the results (made if missing)\n"
	"  -F, --feed X         feed rate of U (0.037)\n"
	"  -k, --kill X         removal rate of V (0.060)\n"
	"  -n, --size N         cells a side (128)\n"
	"  -s, --steps N        steps to take (1000)\n"
	"  -d, --dt X           time a step (2, or the network's)\n"
	"  -e, --every N        write the field every N steps (0: at the end only)\n"
	"      --samples        with --every, also write what the reaction does in "
	"the\n"
	"                       step after: the training data\n"
	"      --seed N         places of the first drops of V (1)\n"
	"      --tolerance X    local error of the reaction's integrator (1e-6)\n"
	"      --network FILE   let this network do the reaction (from train.py)\n"
	"      --restart FILE   go on from a field file, to --steps in all\n"
	"      --metrics FILE   append a JSON line at the end\n"
	"  -h, --help           this text\n"
	"\n"
	"Writes field-STEP.gsf, samples-STEP.gsf and, when all is done, run.json.\n"
	"Exit status: 0 done, 1 the run failed, 2 wrong command line.\n";

enum { SAMPLES = 256, SEED, TOLERANCE, NETWORK, RESTART, METRICS };

static const struct option longs[] = {
	{"out", required_argument, NULL, 'o'},
	{"feed", required_argument, NULL, 'F'},
	{"kill", required_argument, NULL, 'k'},
	{"size", required_argument, NULL, 'n'},
	{"steps", required_argument, NULL, 's'},
	{"dt", required_argument, NULL, 'd'},
	{"every", required_argument, NULL, 'e'},
	{"samples", no_argument, NULL, SAMPLES},
	{"seed", required_argument, NULL, SEED},
	{"tolerance", required_argument, NULL, TOLERANCE},
	{"network", required_argument, NULL, NETWORK},
	{"restart", required_argument, NULL, RESTART},
	{"metrics", required_argument, NULL, METRICS},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct complaint {
	char *text;
	size_t size;
};

static int real(const char *name, const char *text, double low, double high, double *to,
	struct complaint c)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || *end || !(x >= low && x <= high)) {
		snprintf(c.text, c.size, "%s %s: must be a number from %g to %g", name,
			text, low, high);
		return -1;
	}
	*to = x;
	return 0;
}

static int whole(const char *name, const char *text, uint64_t low, uint64_t high,
	uint64_t *to, struct complaint c)
{
	unsigned long long x;
	char *end;

	errno = 0;
	x = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || x < low || x > high) {
		snprintf(c.text, c.size,
			"%s %s: must be a whole number from %llu to %llu", name, text,
			(unsigned long long)low, (unsigned long long)high);
		return -1;
	}
	*to = x;
	return 0;
}

static int take(struct options *o, int key, const char *text, struct complaint c)
{
	uint64_t n;

	switch (key) {
	case 'o':
		o->out = text;
		return 0;
	case 'F':
		return real("--feed", text, 0.0, 1.0, &o->feed, c);
	case 'k':
		return real("--kill", text, 0.0, 1.0, &o->kill, c);
	case 'n':
		if (whole("--size", text, 8, 16384, &n, c) != 0)
			return -1;
		o->size = (int)n;
		return 0;
	case 's':
		return whole("--steps", text, 1, 999999999, &o->steps, c);
	case 'd':
		o->dt_given = 1;
		return real("--dt", text, 1e-3, 100.0, &o->dt, c);
	case 'e':
		return whole("--every", text, 0, 999999999, &o->every, c);
	case SAMPLES:
		o->samples = 1;
		return 0;
	case SEED:
		return whole("--seed", text, 0, UINT64_MAX, &o->seed, c);
	case TOLERANCE:
		return real("--tolerance", text, 1e-14, 1e-2, &o->tolerance, c);
	case NETWORK:
		o->network = text;
		return 0;
	case RESTART:
		o->restart = text;
		return 0;
	case METRICS:
		o->metrics = text;
		return 0;
	case 'h':
		o->help = 1;
		return 0;
	}
	return -1;
}

int options_read(struct options *o, int argc, char **argv, char *why, size_t why_size)
{
	struct complaint c = {why, why_size};
	int key;

	*o = (struct options){
		.feed = 0.037,
		.kill = 0.060,
		.dt = 2.0,
		.tolerance = 1e-6,
		.size = 128,
		.steps = 1000,
		.seed = 1,
	};
	optind = 1;
	opterr = 0; /* every rank reads the command line, one of them speaks */
	while ((key = getopt_long(argc, argv, ":o:F:k:n:s:d:e:h", longs, NULL)) != -1) {
		if (key == '?' || key == ':') {
			snprintf(why, why_size, "%s: %s; see --help", argv[optind - 1],
				key == ':' ? "needs a value" : "unknown option");
			return -1;
		}
		if (take(o, key, optarg, c) != 0)
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc) {
		snprintf(why, why_size, "%s: not an option; the folder goes behind -o",
			argv[optind]);
		return -1;
	}
	if (!o->out) {
		snprintf(why, why_size, "no folder for the results; give -o DIR");
		return -1;
	}
	if (o->samples && o->network) {
		snprintf(why, why_size,
			"--samples and --network exclude each other: samples are of "
			"the "
			"integrator");
		return -1;
	}
	if (o->samples && o->every == 0) {
		snprintf(why, why_size, "--samples needs --every N");
		return -1;
	}
	return 0;
}
