/* publish.h - a final name, and the temporary beside it; private to the room */
#ifndef WEFT_STAGE_PUBLISH_H
#define WEFT_STAGE_PUBLISH_H

#include "stage/room.h"

struct stage_target {
	char *copy, *dir; /* of the destination as it was named, and its folder */
	const char *dst;  /* as it was named, for messages */
	const char *name; /* its last part */
	int fd;           /* of its folder */
	int lock;         /* of the temporary, or -1 */
	char prefix[128]; /* of the temporaries of this name, this host */
	char part[192];   /* our temporary */
	char journal[200], manifest[200];
};

int stage_target_open(struct stage_target *t, const char *dst, struct weft_err *err);
void stage_target_close(struct stage_target *t);
/* Already there. */
int stage_target_taken(const struct stage_target *t, struct weft_err *err);
/* Removes what killed calls have left; or, with job, makes one of it ours and opens
 * its journal: *adopted. */
void stage_target_clean(struct stage_target *t, struct stage_job *job,
	const struct stat *source, bool *adopted);
/* The temporary and what belongs to it goes. */
void stage_target_remove(const struct stage_target *t);
/* The temporary gets its final name: an error if that is taken, or in exchange. */
int stage_target_publish(const struct stage_target *t, bool folder, bool replace,
	bool durable, struct weft_err *err);

#endif
