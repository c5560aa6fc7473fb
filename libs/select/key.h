/* key.h - numbers and texts as a key of a map; printf would be most of a large plan. */
#ifndef WEFT_SELECT_KEY_H
#define WEFT_SELECT_KEY_H

#include "base/base.h"

static inline void key_number(struct weft_str *key, uint64_t v)
{
	char buf[24], *p = buf + sizeof(buf);

	*--p = ' ';
	do
		*--p = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	weft_str_addn(key, p, (size_t)(buf + sizeof(buf) - p));
}

static inline void key_text(struct weft_str *key, const char *s)
{
	weft_str_addc(key, '\x1f');
	if (s && *s)
		weft_str_add(key, s);
}

#endif
