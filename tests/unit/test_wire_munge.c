/* test_wire_munge.c - links whose ends prove themselves by munge: a munged of the
 * test's own, as who we are and as another user */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "scratch.h"
#include "suite.h"
#include "wire/link.h"

static struct weft_loop *loop;

struct end {
	struct weft_link *link;
	bool opened, closed;
	int sys;
	char why[256], said[32];
};

static void on_open(void *arg, struct weft_link *link)
{
	struct end *e = arg;

	e->opened = true;
	weft_link_send(link, 1, "hello", 6);
}

static void on_frame(
	void *arg, struct weft_link *link, unsigned type, void *data, size_t n)
{
	struct end *e = arg;

	(void)link;
	ck_assert(type == 1 && n == 6);
	memcpy(e->said, data, n);
}

static void on_closed(void *arg, struct weft_link *link, const struct weft_err *why)
{
	struct end *e = arg;

	e->closed = true;
	e->sys = why->sys;
	snprintf(e->why, sizeof(e->why), "%s", why->text ? why->text : "");
	weft_link_free(link);
	e->link = NULL;
}

static const struct weft_link_events events = {
	.open = on_open, .frame = on_frame, .closed = on_closed};

static void adopt(struct end *e, int fd, bool first, const struct weft_auth *auth,
	const char *context)
{
	struct weft_link_options opt = {
		.auth = auth, .context = context, .on = &events, .arg = e};

	ok(weft_link_adopt(&e->link, loop, fd, first, &opt, &ok_err));
}

/* A munged with a key of its own; its socket's path. */
static const char *start_munged(const char *name)
{
	static char socket_at[2][300];
	static unsigned n;
	char *at = socket_at[n++ % 2];
	char key[1024];

	snprintf(at, sizeof(socket_at[0]), "%s/%s.sock", scratch(), name);
	for (size_t i = 0; i < sizeof(key) - 1; i++)
		key[i] = (char)('a' + (i * 7 + (size_t)name[0]) % 26);
	key[sizeof(key) - 1] = '\0';
	weft_autofree char *file = weft_printf("%s/%s.key", scratch(), name);
	put_text(file, key);
	ck_assert_int_eq(chmod(file, 0600), 0);
	weft_autofree char *k = weft_printf("--key-file=%s", file);
	weft_autofree char *s = weft_printf("--socket=%s", at);
	weft_autofree char *p = weft_printf("--pid-file=%s/%s.pid", scratch(), name);
	weft_autofree char *l = weft_printf("--log-file=%s/%s.log", scratch(), name);
	weft_autofree char *d = weft_printf("--seed-file=%s/%s.seed", scratch(), name);
	char *argv[] = {(char *)"/usr/sbin/munged", (char *)"--foreground",
		(char *)"--force", k, s, p, l, d, NULL};
	struct weft_spawn spawn = WEFT_SPAWN_INIT;
	pid_t pid;

	spawn.argv = argv;
	spawn.out = spawn.err = -1;
	spawn.die_with_parent = true;
	ok(weft_spawn(&spawn, &pid, &ok_err));
	double until = weft_monotonic() + 20;
	while (!exists(at)) {
		ck_assert(weft_monotonic() < until);
		usleep(10000);
	}
	return at;
}

static bool cannot(void)
{
	if (access("/usr/sbin/munged", X_OK) == 0 && geteuid() == 0)
		return false;
	printf("skip  munge: no munged here, or not root\n");
	return true;
}

static void pair(struct end *a, struct end *b, const struct weft_auth *auth_a,
	const struct weft_auth *auth_b, const char *context_b)
{
	int fd[2];
	double until = weft_monotonic() + 20;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	adopt(a, fd[0], true, auth_a, "run");
	adopt(b, fd[1], false, auth_b, context_b);
	while (!(a->said[0] && b->said[0]) && !(a->closed && b->closed)) {
		ck_assert_msg(weft_monotonic() < until, "%s | %s", a->why, b->why);
		weft_loop_turn(loop, 0.05);
	}
}

START_TEST(both_ends_are_ours)
{
	struct end a = {0}, b = {0}, c = {0}, d = {0}, e = {0}, f = {0};
	struct weft_auth *auth, *again, *key;
	weft_autostr struct weft_str text = {0};

	if (cannot())
		return;
	ok(weft_loop_new(&loop, &ok_err));
	ok(weft_auth_new(&auth, start_munged("one"), &ok_err));
	ck_assert(weft_auth_is_munge(auth));
	/* The other end is told which kind by its parent. */
	ck_assert_int_eq(weft_auth_text(auth, &text), 0);
	ck_assert(weft_starts_with(text.s, "munge:/"));
	ok(weft_auth_parse(&again, text.s, &ok_err));
	pair(&a, &b, auth, again, "run");
	ck_assert_str_eq(a.said, "hello");
	ck_assert_str_eq(b.said, "hello");
	/* For another purpose: refused, though it is us. */
	pair(&c, &d, auth, again, "another run");
	ck_assert(!c.opened && !d.opened);
	ck_assert_ptr_nonnull(strstr(d.why, "for another link"));
	/* A key where munge is wanted is no way round it. */
	ok(weft_auth_new_key(&key, &ok_err));
	pair(&e, &f, key, again, "run");
	ck_assert(!e.opened && !f.opened);
	ck_assert_int_eq(f.sys, EACCES);
	weft_link_free(a.link);
	weft_link_free(b.link);
	weft_loop_free(loop);
	weft_auth_free(auth);
	weft_auth_free(again);
	weft_auth_free(key);
}
END_TEST

/* A cluster whose munged is its own says so in its slurm.conf. */
START_TEST(slurms_own_munge_is_found)
{
	weft_autostr struct weft_str text = {0};
	struct weft_auth *auth;

	if (cannot())
		return;
	const char *at = start_munged("one");
	weft_autofree char *conf = weft_printf("%s/slurm.conf", scratch());
	weft_autofree char *more = weft_printf("%s/auth.conf", scratch());
	weft_autofree char *info = weft_printf(
		"AuthInfo=socket=/old\nauthinfo = ttl=60,socket=%s # ours\n", at);
	put_text(conf, "ClusterName=x\n# AuthInfo=socket=/none\nInclude auth.conf\n");
	put_text(more, info);
	setenv("SLURM_CONF", conf, 1);
	ok(weft_auth_new(&auth, NULL, &ok_err));
	ck_assert(weft_auth_is_munge(auth));
	ck_assert_int_eq(weft_auth_text(auth, &text), 0);
	ck_assert(weft_starts_with(text.s, "munge:"));
	ck_assert_str_eq(text.s + 6, at);
	weft_auth_free(auth);
	unsetenv("SLURM_CONF");
}
END_TEST

START_TEST(another_clusters_munge_is_refused)
{
	struct end a = {0}, b = {0};
	struct weft_auth *one, *two;

	if (cannot())
		return;
	ok(weft_loop_new(&loop, &ok_err));
	ok(weft_auth_new(&one, start_munged("one"), &ok_err));
	ok(weft_auth_new(&two, start_munged("two"), &ok_err));
	pair(&a, &b, one, two, "run");
	ck_assert(!a.opened && !b.opened);
	ck_assert_ptr_nonnull(strstr(b.why, "munge"));
	weft_loop_free(loop);
	weft_auth_free(one);
	weft_auth_free(two);
}
END_TEST

/* Somebody else on this machine, with the same munged: he can make credentials. */
START_TEST(another_user_is_refused)
{
	struct end a = {0};
	struct weft_auth *auth;
	const char *at;
	int fd[2], status;

	if (cannot())
		return;
	at = start_munged("one");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct end b = {0};
		double until = weft_monotonic() + 20;

		close(fd[1]);
		if (setgid(65534) || setuid(65534))
			_exit(3);
		ok(weft_loop_new(&loop, &ok_err));
		ok(weft_auth_new(&auth, at, &ok_err));
		if (!weft_auth_is_munge(auth))
			_exit(4);
		adopt(&b, fd[0], true, auth, "run");
		while (!b.closed && !b.opened && weft_monotonic() < until)
			weft_loop_turn(loop, 0.05);
		_exit(b.closed && !b.opened ? 0 : 5);
	}
	close(fd[0]);
	ok(weft_loop_new(&loop, &ok_err));
	ok(weft_auth_new(&auth, at, &ok_err));
	adopt(&a, fd[1], false, auth, "run");
	double until = weft_monotonic() + 20;
	while (!a.closed && !a.opened && weft_monotonic() < until)
		weft_loop_turn(loop, 0.05);
	ck_assert(a.closed && !a.opened);
	ck_assert_int_eq(a.sys, EACCES);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(
		WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %s", status, a.why);
	weft_loop_free(loop);
	weft_auth_free(auth);
}
END_TEST

SUITE("wire_munge", both_ends_are_ours, slurms_own_munge_is_found,
	another_clusters_munge_is_refused, another_user_is_refused)
