/* connect.c - connecting, again and again while nobody listens */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/link_room.h"

#define TRY 3.0 /* an address that doesn't answer */
#define PAUSE 0.05
#define LONGEST_PAUSE 1.0

struct link_addresses {
	struct addrinfo *all, *next;
};

void link_addresses_free(struct link_addresses *a)
{
	if (a && a->all)
		freeaddrinfo(a->all);
	free(a);
}

/* After all addresses: a pause, or the end. */
static int round_over(struct weft_link *l, int sys)
{
	double now = weft_monotonic();

	if (now >= l->give_up) {
		link_failed(l, sys, "connecting: %s", strerror(sys));
		return -1;
	}
	l->addresses->next = l->addresses->all;
	double left = l->give_up - now;
	weft_timer_set(l->timer, l->pause < left ? l->pause : left, 0);
	l->pause = l->pause * 2 < LONGEST_PAUSE ? l->pause * 2 : LONGEST_PAUSE;
	return 0;
}

/* This address isn't it: the next. */
static int failed_here(struct weft_link *l, int sys)
{
	link_drop_socket(l);
	return l->addresses->next ? link_connect_next(l) : round_over(l, sys);
}

int link_connect_next(struct weft_link *l)
{
	struct addrinfo *a = l->addresses->next;
	struct weft_err err = {0};

	if (!a || l->watch) /* the last try had no answer */
		return failed_here(l, ETIMEDOUT);
	l->addresses->next = a->ai_next;
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		a->ai_protocol);
	if (fd < 0)
		return failed_here(l, errno);
	if (link_take(l, fd, &err)) {
		weft_err_clear(&err);
		return failed_here(l, EMFILE);
	}
	if (connect(fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS)
		return failed_here(l, errno);
	weft_watch_want(l->watch, WEFT_WRITABLE);
	weft_timer_set(l->timer, TRY, 0);
	return 0;
}

void link_connected(struct weft_link *l)
{
	int sys = 0;
	socklen_t n = sizeof(sys);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &sys, &n))
		sys = errno;
	if (sys)
		failed_here(l, sys);
	else
		link_hello_start(l);
}

bool link_again(struct weft_link *l)
{
	if (!l->client || l->step || l->state != LINK_HELLO_WAIT ||
		weft_monotonic() >= l->give_up)
		return false;
	link_drop_socket(l);
	link_out_clear(l);
	l->in_n = l->in_at = 0;
	l->state = LINK_CONNECTING;
	round_over(l, ECONNRESET);
	return true;
}

int weft_link_connect(struct weft_link **out, struct weft_loop *loop, const char *host,
	unsigned port, const struct weft_link_options *opt, struct weft_err *err)
{
	struct addrinfo hint = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct weft_link *l = link_new(loop, opt, err);
	char service[16];

	*out = NULL;
	if (!l)
		return -1;
	l->first = l->client = true;
	l->state = LINK_CONNECTING;
	l->pause = PAUSE;
	l->give_up = weft_monotonic() + l->opt.patience;
	l->peer = weft_printf("%s:%u", host, port);
	l->addresses = calloc(1, sizeof(*l->addresses));
	if (!l->peer || !l->addresses) {
		weft_link_free(l);
		return weft_err_nomem(err);
	}
	snprintf(service, sizeof(service), "%u", port);
	int r = getaddrinfo(host, service, &hint, &l->addresses->all);
	if (r) {
		l->addresses->all = NULL;
		weft_link_free(l);
		return weft_err_set(
			err, WEFT_ESYS, "host %s: %s", host, gai_strerror(r));
	}
	l->addresses->next = l->addresses->all;
	/* From the loop, as all that may fail. */
	weft_timer_set(l->timer, 0, 0);
	*out = l;
	return 0;
}
