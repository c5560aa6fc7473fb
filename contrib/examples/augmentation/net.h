/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trained network in the place of the reaction's integrator. What is known stays
 * exact: feed and removal are linear, and nothing reacts without V. What is learnt is
 *how much reacts during a step dt:
 *
 *	u(dt) = 1 - (1 - u) exp(-feed dt) - u v^2 p0(u, v, feed, kill)
 *	v(dt) = v exp(-(feed + kill) dt)  + u v^2 p1(u, v, feed, kill)
 *
 * (p0, p1) is a small multilayer perceptron, evaluated in single precision for
 *NET_LANES cells at a time. The file that holds it is text; README.md describes it.
 */
#ifndef NET_H
#define NET_H

#include <stddef.h>

enum {
	NET_INPUTS = 4,
	NET_OUTPUTS = 2,
	NET_LANES = 16,
	NET_MAX_WIDTH = 64,
	NET_MAX_LAYERS = 6,
};

/* Plain data without pointers: rank 0 reads it and broadcasts the bytes. */
struct net {
	double dt; /* the step that it was trained for */
	int layers;
	int width[NET_MAX_LAYERS + 1]; /* of the input, of each layer's output */
	float bias[NET_MAX_LAYERS][NET_MAX_WIDTH];
	float weight[NET_MAX_LAYERS][NET_MAX_WIDTH][NET_MAX_WIDTH]; /* [to][from] */
};

/* Reads a file; on failure -1 and a message (with the path) in why. */
int net_read(struct net *net, const char *path, char *why, size_t why_size);

/* Advances n cells by net->dt. */
void net_advance(
	const struct net *net, double feed, double kill, double *u, double *v, int n);

#endif
