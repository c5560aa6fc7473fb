/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * One body, compiled for several instruction sets; the loader takes the best one that
 * the processor has. Every cell goes through the same full vectors, wherever it lies in
 * its block, so the result does not depend on the number of ranks.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define FOR_EACH_CPU                                                                   \
	__attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define FOR_EACH_CPU
#endif

typedef float lanes __attribute__((vector_size(NET_LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(NET_LANES * sizeof(int32_t))));

static int read_layer(struct net *net, int l, FILE *f)
{
	int from, to;
	char act[16];

	if (fscanf(f, "layer %d %d %15s ", &from, &to, act) != 3)
		return -1;
	if (from != net->width[l] || to < 1 || to > NET_MAX_WIDTH)
		return -1;
	/* Hidden layers bend, the last one does not. */
	if (strcmp(act, l + 1 < net->layers ? "hardswish" : "linear") != 0)
		return -1;
	net->width[l + 1] = to;
	for (int o = 0; o < to; o++) {
		for (int i = 0; i < from; i++)
			if (fscanf(f, "%f ", &net->weight[l][o][i]) != 1 ||
				!isfinite(net->weight[l][o][i]))
				return -1;
		if (fscanf(f, "%f ", &net->bias[l][o]) != 1 ||
			!isfinite(net->bias[l][o]))
			return -1;
	}
	return 0;
}

static int read_all(struct net *net, FILE *f)
{
	int version;
	char end[8];

	if (fscanf(f, "gray-scott-net %d ", &version) != 1 || version != 1)
		return -1;
	if (fscanf(f, "dt %lf ", &net->dt) != 1 || !(net->dt > 0.0))
		return -1;
	if (fscanf(f, "layers %d ", &net->layers) != 1 || net->layers < 1 ||
		net->layers > NET_MAX_LAYERS)
		return -1;
	net->width[0] = NET_INPUTS;
	for (int l = 0; l < net->layers; l++)
		if (read_layer(net, l, f) != 0)
			return -1;
	if (net->width[net->layers] != NET_OUTPUTS)
		return -1;
	/* The last word shows that the file is whole. */
	if (fscanf(f, "%7s", end) != 1 || strcmp(end, "end") != 0)
		return -1;
	return 0;
}

int net_read(struct net *net, const char *path, char *why, size_t why_size)
{
	FILE *f = fopen(path, "r");

	memset(net, 0, sizeof(*net));
	if (!f) {
		snprintf(why, why_size, "network %s: %s", path, strerror(errno));
		return -1;
	}
	if (read_all(net, f) != 0) {
		snprintf(why, why_size,
			"network %s: not a whole gray-scott-net file near byte %ld; "
			"write it with train.py --out",
			path, ftell(f));
		fclose(f);
		return -1;
	}
	fclose(f);
	return 0;
}

/*
 * x * min(max(x + 3, 0), 6) / 6: bends as swish does, without an exponential. By
 * pointer, as the ABI of vectors differs between instruction sets.
 */
static inline __attribute__((always_inline)) void hardswish(lanes *x)
{
	const lanes one = (lanes){0} + 1.0f;
	lanes gate = *x * (1.0f / 6.0f) + 0.5f;
	mask below;

	gate = (lanes)((mask)gate & (gate > 0.0f));
	below = gate < 1.0f;
	gate = (lanes)(((mask)gate & below) | ((mask)one & ~below));
	*x *= gate;
}

/* Four outputs at a time, so that a value once loaded is used four times. */
static inline __attribute__((always_inline)) void apply_layer(
	const struct net *net, int l, const lanes *in, lanes *out)
{
	int from = net->width[l], to = net->width[l + 1];
	const float *bias = net->bias[l];

	/* Rows of weights behind the last are zero: they may be computed too. */
	for (int o = 0; o < to; o += 4) {
		lanes a = (lanes){0} + bias[o], b = (lanes){0} + bias[o + 1];
		lanes c = (lanes){0} + bias[o + 2], d = (lanes){0} + bias[o + 3];
		const float *wa = net->weight[l][o], *wb = net->weight[l][o + 1];
		const float *wc = net->weight[l][o + 2], *wd = net->weight[l][o + 3];

		for (int i = 0; i < from; i++) {
			a += in[i] * wa[i];
			b += in[i] * wb[i];
			c += in[i] * wc[i];
			d += in[i] * wd[i];
		}
		if (l + 1 < net->layers) {
			hardswish(&a);
			hardswish(&b);
			hardswish(&c);
			hardswish(&d);
		}
		out[o] = a;
		out[o + 1] = b;
		out[o + 2] = c;
		out[o + 3] = d;
	}
}

FOR_EACH_CPU
void net_advance(
	const struct net *net, double feed, double kill, double *u, double *v, int n)
{
	double keep_u = exp(-feed * net->dt), keep_v = exp(-(feed + kill) * net->dt);
	lanes act[2][NET_MAX_WIDTH];

	for (int at = 0; at < n; at += NET_LANES) {
		int count = n - at < NET_LANES ? n - at : NET_LANES;
		int side = 0;
		double made;

		act[0][0] = act[0][1] = (lanes){0};
		for (int i = 0; i < count; i++) {
			act[0][0][i] = (float)u[at + i];
			act[0][1][i] = (float)v[at + i];
		}
		act[0][2] = (lanes){0} + (float)feed;
		act[0][3] = (lanes){0} + (float)kill;
		for (int l = 0; l < net->layers; l++, side ^= 1)
			apply_layer(net, l, act[side], act[side ^ 1]);
		for (int i = 0; i < count; i++) {
			made = u[at + i] * v[at + i] * v[at + i];
			u[at + i] = 1.0 - (1.0 - u[at + i]) * keep_u -
				    made * (double)act[side][0][i];
			v[at + i] = v[at + i] * keep_v + made * (double)act[side][1][i];
		}
	}
}
