#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static enum weft_level limit = WEFT_INFO;
static void (*sink)(enum weft_level, const char *);

void weft_log_set(enum weft_level upto, void (*to)(enum weft_level, const char *))
{
	limit = upto;
	sink = to;
}

void weft_log(enum weft_level level, const char *fmt, ...)
{
	static const char *const what[] = {"error: ", "warning: ", "", "debug: "};
	int keep = errno;
	weft_autofree char *text = NULL;
	va_list ap;

	if (level > limit)
		return;
	va_start(ap, fmt);
	text = weft_vprintf(fmt, ap);
	va_end(ap);
	if (text && sink) {
		sink(level, text);
	} else if (text) {
		/* One write, so that lines of several processes don't mix. */
		weft_autofree char *line =
			weft_printf("weft: %s%s\n", what[level], text);
		if (line)
			(void)!write(2, line, __builtin_strlen(line));
	}
	errno = keep;
}
