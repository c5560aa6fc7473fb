#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void weft_freep(void *ptr_to_ptr)
{
	free(*(void **)ptr_to_ptr);
}

void weft_closep(int *fd)
{
	int keep = errno;

	if (*fd >= 0)
		close(*fd);
	errno = keep;
}

void weft_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

int weft_grow_(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return 0;
	size_t want = *cap ? *cap * 2 : 8;
	void *p = reallocarray(*(void **)v, want, size);
	if (!p)
		return -1;
	*(void **)v = p;
	*cap = want;
	return 0;
}

struct weft_arena_block {
	struct weft_arena_block *next;
	size_t used, size;
	_Alignas(16) char data[];
};

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1 << 20)

void *weft_arena_alloc(struct weft_arena *a, size_t size)
{
	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + 15) & ~(size_t)15;
	struct weft_arena_block *b = a->head;
	if (!b || b->size - b->used < size) {
		/* Blocks grow with the arena, so that small ones stay small. */
		size_t want = a->bytes < BLOCK_MIN ? BLOCK_MIN : a->bytes;
		want = want > BLOCK_MAX ? BLOCK_MAX : want;
		want = want < size ? size : want;
		b = calloc(1, sizeof(*b) + want);
		if (!b)
			return NULL;
		b->size = want;
		a->bytes += sizeof(*b) + want;
		if (a->head && want == size && size > BLOCK_MAX / 4) {
			/* A block for one big thing: the current one stays in use. */
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b->next = a->head;
			a->head = b;
		}
	}
	void *p = b->data + b->used;
	b->used += size;
	return p;
}

char *weft_arena_strndup(struct weft_arena *a, const char *s, size_t n)
{
	char *p = weft_arena_alloc(a, n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

char *weft_arena_strdup(struct weft_arena *a, const char *s)
{
	return weft_arena_strndup(a, s, strlen(s));
}

char *weft_arena_printf(struct weft_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0)
		p = weft_arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

void weft_arena_free(struct weft_arena *a)
{
	for (struct weft_arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct weft_arena){0};
}
