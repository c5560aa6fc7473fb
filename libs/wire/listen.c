/* listen.c - who knocks, and has to prove himself before he counts */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/link_room.h"

#define STRANGERS 256

struct weft_listener {
	struct weft_loop *loop;
	struct weft_link_options opt;
	char *context;
	int fd;
	unsigned port;
	struct weft_watch *watch;
	struct weft_timer *again; /* after accept() had no descriptor left */
	weft_listener_fn *fn;
	void *arg;
	struct link_waiting *oldest, **newest;
	unsigned n;
	uint64_t refused;
	char *why;
};

/* A link on trial. */
struct link_waiting {
	struct weft_listener *of;
	struct weft_link *link;
	struct link_waiting *next;
};

static void unlist(struct link_waiting *w)
{
	struct weft_listener *s = w->of;
	struct link_waiting **at = &s->oldest;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!*at)
		s->newest = at;
	s->n--;
	w->link->waiting = NULL;
	free(w);
}

static void refused(struct weft_listener *s, const char *why)
{
	s->refused++;
	free(s->why);
	s->why = strdup(why);
}

void link_waiting_over(struct weft_link *l, bool open)
{
	struct weft_listener *s = l->waiting->of;

	unlist(l->waiting);
	if (open) {
		s->fn(s->arg, l);
		return;
	}
	if (l->freed)
		return;
	refused(s, l->why.text ? l->why.text : "refused");
	weft_link_free(l);
}

static void add(
	struct weft_listener *s, int fd, const struct sockaddr *who, socklen_t n_who)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct link_waiting *w = calloc(1, sizeof(*w));
	struct weft_link *l = w ? link_new(s->loop, &s->opt, NULL) : NULL;

	if (l && getnameinfo(who, n_who, host, sizeof(host), port, sizeof(port),
			 NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		/* Without the prefix that IPv4 has on a socket for both. */
		l->peer = weft_printf("%s:%s",
			weft_starts_with(host, "::ffff:") ? host + 7 : host, port);
	if (!l || link_take(l, fd, NULL)) {
		if (l)
			l->fd = -1;
		weft_link_free(l);
		free(w);
		close(fd);
		return;
	}
	w->of = s;
	w->link = l;
	l->waiting = w;
	*s->newest = w;
	s->newest = &w->next;
	s->n++;
	link_hello_start(l);
	if (s->n > (s->opt.strangers ? s->opt.strangers : STRANGERS)) {
		struct weft_link *old = s->oldest->link;

		refused(s, "too many at once that proved nothing");
		weft_link_free(old);
	}
}

static void on_watch(void *arg, unsigned what)
{
	struct weft_listener *s = arg;
	struct sockaddr_storage who;

	(void)what;
	for (unsigned i = 0; i < 64; i++) {
		socklen_t n = sizeof(who);
		int fd = accept4(s->fd, (struct sockaddr *)&who, &n,
			SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add(s, fd, (struct sockaddr *)&who, n);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			errno == ENOBUFS) {
			/* They wait in the queue; asking at once would be in vain. */
			weft_watch_want(s->watch, 0);
			weft_timer_set(s->again, 0.1, 0);
		}
		return;
	}
}

static void on_again(void *arg)
{
	struct weft_listener *s = arg;

	weft_watch_want(s->watch, WEFT_READABLE);
}

static int open_socket(struct weft_listener *s, const char *address, unsigned port,
	struct weft_err *err)
{
	struct addrinfo hint = {.ai_socktype = SOCK_STREAM,
				.ai_flags = AI_NUMERICSERV | AI_PASSIVE},
			*all, *a;
	char service[16];
	int sys = 0;

	snprintf(service, sizeof(service), "%u", port);
	int r = getaddrinfo(address, service, &hint, &all);
	if (r)
		return weft_err_set(err, WEFT_ESYS, "listening at %s: %s",
			address ? address : "any address", gai_strerror(r));
	/* "Any" in IPv6 takes both where the host has it. */
	for (int v6 = address ? 0 : 1; v6 >= 0 && s->fd < 0; v6--)
		for (a = all; a && s->fd < 0; a = a->ai_next) {
			int one = 1, off = 0;

			if (v6 && a->ai_family != AF_INET6)
				continue;
			s->fd = socket(a->ai_family,
				a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
				a->ai_protocol);
			sys = errno;
			if (s->fd < 0)
				continue;
			if (port)
				setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one,
					sizeof(one));
			if (v6)
				setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
					sizeof(off));
			if (bind(s->fd, a->ai_addr, a->ai_addrlen) ||
				listen(s->fd, 4096)) {
				sys = errno;
				close(s->fd);
				s->fd = -1;
			}
		}
	freeaddrinfo(all);
	if (s->fd >= 0)
		return 0;
	errno = sys;
	return weft_err_sys(err, WEFT_ESYS, "listening");
}

static int find_port(struct weft_listener *s, struct weft_err *err)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);
	char port[NI_MAXSERV];

	if (getsockname(s->fd, (struct sockaddr *)&at, &n) ||
		getnameinfo((struct sockaddr *)&at, n, NULL, 0, port, sizeof(port),
			NI_NUMERICSERV))
		return weft_err_sys(err, WEFT_ESYS, "the port that we listen on");
	s->port = (unsigned)strtoul(port, NULL, 10);
	return 0;
}

int weft_listener_new(struct weft_listener **out, struct weft_loop *loop,
	const char *address, unsigned port, const struct weft_link_options *opt,
	weft_listener_fn *fn, void *arg, struct weft_err *err)
{
	struct weft_listener *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return weft_err_nomem(err);
	s->fd = -1;
	s->loop = loop;
	s->opt = *opt;
	s->fn = fn;
	s->arg = arg;
	s->newest = &s->oldest;
	s->context = strdup(opt->context ? opt->context : "");
	s->opt.context = s->context;
	s->again = weft_timer_new(loop, on_again, s);
	if (!s->context || !s->again) {
		weft_err_nomem(err);
		goto bad;
	}
	if (open_socket(s, address, port, err) || find_port(s, err) ||
		weft_watch_new(&s->watch, loop, s->fd, on_watch, s, err))
		goto bad;
	weft_watch_want(s->watch, WEFT_READABLE);
	*out = s;
	return 0;
bad:
	weft_listener_free(s);
	return -1;
}

unsigned weft_listener_port(const struct weft_listener *s)
{
	return s->port;
}

uint64_t weft_listener_refused(const struct weft_listener *s, const char **why)
{
	if (why)
		*why = s->why;
	return s->refused;
}

void weft_listener_free(struct weft_listener *s)
{
	if (!s)
		return;
	while (s->oldest)
		weft_link_free(s->oldest->link);
	weft_watch_free(s->watch);
	weft_timer_free(s->again);
	if (s->fd >= 0)
		close(s->fd);
	free(s->context);
	free(s->why);
	free(s);
}
