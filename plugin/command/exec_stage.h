/* exec_stage.h - what weft exec brings to the nodes and back; private to command */
#ifndef WEFT_COMMAND_EXEC_STAGE_H
#define WEFT_COMMAND_EXEC_STAGE_H

#include "asked.h"

/* Words of weft stage-in and stage-out; none: nothing is to be done in the end. */
struct exec_stage {
	struct weft_argv out; /* "MADE=PATH" */
	char *own; /* outside of Slurm: our folders' parents, to be removed */
	char *own_memory;
};

/* Brings inputs `to: node|memory` to the job's scratch, and makes a folder there for
 * outputs of `scratch: node|memory`; env then points there.  Where that fails it says
 * so, and they are used, or made, where they are or are to be. */
int exec_stage_in(struct exec_stage *s, const struct asked *a, struct weft_env *env,
	struct weft_err *err);
/* What was made comes to its place.  0, or -1 after saying why. */
int exec_stage_out(struct exec_stage *s);
void exec_stage_free(struct exec_stage *s);

#endif
