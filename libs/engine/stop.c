/* stop.c - a process that stages hears at once that it is to end.
 *
 * The signals for that wait in line elsewhere, to be taken when it suits; a copy looks
 * at a flag instead, between two of its pieces.
 */
#include "engine/unit.h"

static volatile sig_atomic_t told;

static void on_end(int sig)
{
	(void)sig;
	told = 1;
}

static const int ends[] = {SIGTERM, SIGINT, SIGHUP};

const volatile sig_atomic_t *stop_hear(bool on)
{
	struct sigaction act = {.sa_handler = on_end, .sa_flags = SA_RESTART};
	sigset_t watched, set;

	signals_watched(&watched);
	sigemptyset(&set);
	for (size_t i = 0; i < WEFT_COUNT(ends); i++) {
		if (!sigismember(&watched, ends[i]))
			continue;
		sigaddset(&set, ends[i]);
		if (on)
			sigaction(ends[i], &act, NULL);
	}
	sigprocmask(on ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
	return &told;
}

bool stop_told(void)
{
	sigset_t watched, pending;

	signals_watched(&watched);
	sigpending(&pending);
	for (size_t i = 0; i < WEFT_COUNT(ends); i++)
		if (sigismember(&watched, ends[i]) && sigismember(&pending, ends[i]))
			return true;
	return told;
}
