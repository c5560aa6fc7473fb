/* SPDX-License-Identifier: Apache-2.0 */
#include "reaction.h"

#include <math.h>

struct state {
	double u, v;
};

static inline struct state rate(const struct reaction *r, struct state s)
{
	double made = s.u * s.v * s.v;

	return (struct state){
		r->feed * (1.0 - s.u) - made,
		made - (r->feed + r->kill) * s.v,
	};
}

static inline struct state along(struct state s, double h, struct state d)
{
	return (struct state){s.u + h * d.u, s.v + h * d.v};
}

/*
 * Bogacki and Shampine's pair of orders 3 and 2: three rates a sub-step, as the last
 * one of a sub-step is the first of the next.
 */
static struct state advance_cell(const struct reaction *r, struct state s)
{
	double left = r->dt, h = r->dt;
	struct state k1 = rate(r, s);

	/* A cell that is not finite stays so; the solver looks for it. */
	while (left > 0.0 && isfinite(k1.u) && isfinite(k1.v)) {
		struct state k2, k3, k4, end;
		double eu, ev, error, factor;

		if (h > left)
			h = left;
		k2 = rate(r, along(s, 0.5 * h, k1));
		k3 = rate(r, along(s, 0.75 * h, k2));
		end.u = s.u + h / 9.0 * (2.0 * k1.u + 3.0 * k2.u + 4.0 * k3.u);
		end.v = s.v + h / 9.0 * (2.0 * k1.v + 3.0 * k2.v + 4.0 * k3.v);
		k4 = rate(r, end);
		eu = h / 72.0 * (-5.0 * k1.u + 6.0 * k2.u + 8.0 * k3.u - 9.0 * k4.u);
		ev = h / 72.0 * (-5.0 * k1.v + 6.0 * k2.v + 8.0 * k3.v - 9.0 * k4.v);
		error = fmax(fabs(eu), fabs(ev));

		if (error <= r->tolerance) {
			s = end;
			k1 = k4;
			left -= h;
		}
		factor = error > 0.0 ? 0.9 * cbrt(r->tolerance / error) : 5.0;
		h *= fmin(5.0, fmax(0.2, factor));
		if (h < 1e-12 * r->dt)
			h = 1e-12 * r->dt;
	}
	return s;
}

void reaction_advance(const struct reaction *r, double *u, double *v, int n)
{
	for (int i = 0; i < n; i++) {
		struct state s = advance_cell(r, (struct state){u[i], v[i]});

		u[i] = s.u;
		v[i] = s.v;
	}
}
