#include "base/base.h"

#include <time.h>

static double now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double weft_now(void)
{
	return now(CLOCK_REALTIME);
}

double weft_monotonic(void)
{
	return now(CLOCK_MONOTONIC);
}
