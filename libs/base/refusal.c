/* refusal.c - what policy refused, for the admin */
#include "base/base.h"

#include <errno.h>
#include <syslog.h>
#include <unistd.h>

#define SHOWN 200 /* bytes of a text */

/* In double quotes, printable ASCII alone: a log is read by terminals and programs. */
static void add_text(struct weft_str *out, const char *name, const char *text)
{
	weft_str_printf(out, " %s=\"", name);
	for (size_t i = 0; i < SHOWN && text[i]; i++)
		weft_str_addc(out, text[i] < ' ' || text[i] > '~' || text[i] == '"' ||
						   text[i] == '\\'
					   ? '?'
					   : text[i]);
	weft_str_addc(out, '"');
}

void weft_refusal_line(const struct weft_refusal *r, struct weft_str *out)
{
	weft_str_add(out, "refused");
	add_text(out, "user", r->user ? r->user : "?");
	weft_str_printf(out, " uid=%u", (unsigned)getuid());
	if (r->workflow)
		add_text(out, "workflow", r->workflow);
	add_text(out, "rule", r->rule);
	add_text(out, "value", r->value ? r->value : "");
}

void weft_log_refusal(const struct weft_refusal *r)
{
	weft_autostr struct weft_str line = {0};
	int keep = errno;

	weft_refusal_line(r, &line);
	if (!line.failed)
		syslog(LOG_AUTHPRIV | LOG_NOTICE, "%s", line.s);
	errno = keep;
}
