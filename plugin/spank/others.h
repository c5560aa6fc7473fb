/*
 * others - the job's other steps on this node, around which a new one is placed.
 *
 * Runs as: slurmstepd in user_init, with the user's effective id.
 */
#ifndef WEFT_SPANK_OTHERS_H
#define WEFT_SPANK_OTHERS_H

#include "bind/bind.h"
#include "plugin/spank/host.h"

/* What they have; NULL: nobody else runs here, or there is no telling.  malloced. */
struct weft_others *others_find(spank_t sp);

#endif
