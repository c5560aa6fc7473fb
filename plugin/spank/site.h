/*
 * site - the arguments in plugstack.conf, and weft.conf.
 *
 *   optional weft.so conf=/etc/weft/weft.conf
 *
 * Runs as: root in slurmstepd, where weft.conf is read only if root alone can
 * have written it; the user in srun, sbatch and salloc.
 */
#ifndef WEFT_SITE_H
#define WEFT_SITE_H

#include "conf/conf.h"

enum site_state {
	SITE_ON,
	SITE_OFF,    /* enabled = no: as if the plug-in weren't there */
	SITE_BROKEN, /* said why; nothing of weft can be had */
};

/* Reads anew. why: text of SITE_BROKEN. */
enum site_state site_read(int ac, char **av, bool trusted, char *why, size_t size);
enum site_state site_state(void);
/* NULL unless SITE_ON. Lives until the next site_read() or site_forget(). */
const struct weft_conf *site_conf(void);
/* Does weft.conf switch any user off? */
bool site_asks_user(void);
/* Is weft switched off for this user? Then why says so. */
bool site_user_off(uid_t uid, char *why, size_t size);
/* What plugstack.conf named; NULL: the default. */
const char *site_conf_path(void);
void site_forget(void);

/* Absolute path of the weft command, malloced: weft.conf's `command`, else the
 * one beside weft.so, else (trusted: in /usr/local/bin and /usr/bin only) in
 * PATH. NULL: there is none. */
char *site_command(bool trusted);

#endif
