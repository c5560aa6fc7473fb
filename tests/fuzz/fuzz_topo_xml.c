/*
 * fuzz_topo_xml.c - hwloc's XML: a model or an error, whatever hwloc does with it.
 *
 * weft runs hwloc in a child, where it may crash: on such files hwloc does, and weft
 * says that it can't read them.  A mistake of weft's own must not hide behind that, so
 * here all runs in this process, and what goes wrong while hwloc loads the file (not
 * while weft looks at what was loaded) only ends the input, once the child agrees.
 */
#include <assert.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>

#include "fuzz_dir.h"
#include "topo/discover.h"
#include "topo/discover_hwloc.h"

/* There where leaks are looked for.  hwloc can't clean up when it is left halfway. */
__attribute__((weak)) void __lsan_disable(void);

static sigjmp_buf given_up;
static bool inside;
static struct sigaction old_action[NSIG];

static bool in_hwloc(void)
{
	void *frame[256];
	int n = backtrace(frame, WEFT_COUNT(frame));
	Dl_info info;

	for (int i = 0; inside && i < n; i++)
		if (dladdr(frame[i], &info) && info.dli_sname &&
			(weft_starts_with(info.dli_sname, "hwloc_topology_load") ||
				weft_starts_with(
					info.dli_sname, "hwloc_topology_destroy")))
			return true;
	return false;
}

/* In place of libc's, also for libhwloc. */
_Noreturn void __assert_fail(
	const char *what, const char *file, unsigned line, const char *function)
{
	if (in_hwloc())
		siglongjmp(given_up, 1);
	fprintf(stderr, "%s:%u: %s: assertion failed: %s\n", file, line, function,
		what);
	abort();
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (in_hwloc())
		siglongjmp(given_up, 1);
	if (old_action[sig].sa_flags & SA_SIGINFO)
		old_action[sig].sa_sigaction(sig, info, context);
	else if (old_action[sig].sa_handler != SIG_DFL)
		old_action[sig].sa_handler(sig);
	else
		signal(sig, SIG_DFL);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE};
	struct sigaction sa = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *frame[1];

	if (__lsan_disable)
		__lsan_disable();
	backtrace(frame, 1); /* loads what it needs, before a signal does */
	for (size_t i = 0; i < WEFT_COUNT(signals); i++)
		sigaction(signals[i], &sa, &old_action[signals[i]]);
	/* What hwloc says about odd files helps nobody here. */
	setenv("HWLOC_HIDE_ERRORS", "2", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	weft_autofree char *path = weft_path_join(fuzz_dir(), "topology.xml");
	struct weft_str text = {0};
	struct weft_err err = {0};
	struct weft_machine *m;

	if (!ready)
		catch_signals();
	ready = true;
	fuzz_write(fuzz_dir(), "topology.xml", data, size);
	if (sigsetjmp(given_up, 1) == 0) {
		inside = true;
		int bad = weft_discover_hwloc(
			&(struct weft_topo_source){.xml = path}, &text, &err);

		inside = false;
		/* The model's reader has the last word, as in the parent. */
		if (bad || weft_machine_parse(text.s, text.len, &m, &err))
			fuzz_refused(&err);
		else
			weft_machine_free(m);
		weft_str_free(&text);
		return 0;
	}
	inside = false;
	fuzz_must(weft_topo_discover(path, &m, &err) && !m);
	fuzz_refused(&err);
	return 0;
}
