/* env - the variables of a binding; each adds to out->var. */
#ifndef WEFT_BIND_ENV_H
#define WEFT_BIND_ENV_H

#include "bind/bind.h"

int weft_bind_gpu_env(const struct weft_machine *m, const struct weft_placed_task *t,
	const unsigned *gpus, size_t n_gpus, const char *visible,
	struct weft_binding *out, struct weft_err *err);
void weft_bind_omp_env(const struct weft_machine *m, const struct weft_placed_task *t,
	const struct weft_place_step *step, struct weft_binding *out);
void weft_bind_nic_env(const struct weft_machine *m, const struct weft_placed_task *t,
	struct weft_binding *out);
/* In which a vendor's runtime looks for its GPUs; NULL: not known. */
const char *weft_bind_gpu_variable(enum weft_vendor vendor);
/* This machine, as notes name it. */
void weft_bind_host(char *buf, size_t size);
/* A new variable; false: no room for it (then it is not there). */
bool weft_bind_add_var(
	struct weft_binding *b, const char *name, const char *value, bool keep);

#endif
