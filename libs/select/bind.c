/* bind.c - where a step's tasks are to be put: the step, then its role, then the site
 */
#include "select/select.h"

bool weft_select_place(const struct weft_step *step, const struct weft_conf *conf,
	struct weft_place_request *out)
{
	const struct weft_conf_role *role = &conf->role[step->role];
	const struct weft_conf_place *p = &role->place;

	*out = step->place;
	if (p->cpus && !(out->given & WEFT_GIVEN_CPUS))
		out->cpus = (enum weft_cpus_policy)(p->cpus - 1);
	if (p->balance && !(out->given & WEFT_GIVEN_BALANCE))
		out->balance_even = p->balance == 2;
	if (p->memory && !(out->given & WEFT_GIVEN_MEMORY))
		out->memory = (enum weft_memory_policy)(p->memory - 1);
	if (p->smt && !(out->given & WEFT_GIVEN_SMT))
		out->smt = p->smt % 3; /* 1, 2; all is 0 */
	if (p->spare_cores && !(out->given & WEFT_GIVEN_SPARE))
		out->spare_cores = p->spare_cores;
	if (step->place_given)
		return !step->place.none;
	out->none = !(role->bind ? role->bind == 1 : conf->bind);
	return !out->none;
}
