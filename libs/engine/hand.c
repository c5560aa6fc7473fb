#include "engine/hand.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 32768 /* bytes; well below what a socket's buffer holds */

struct head {
	uint64_t member;
	double time;
	uint32_t step, state;
	uint32_t record, last;
};

int hand_open(int fd[2], struct weft_err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		return weft_err_sys(err, WEFT_ESYS, "socketpair");
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	weft_err_sys(err, WEFT_ESYS, "socketpair");
	hand_close(fd);
	return -1;
}

void hand_close(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

static int give(int fd, const struct head *h, const char *data, size_t n)
{
	struct iovec v[] = {{(void *)h, sizeof(*h)}, {(void *)data, n}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	ssize_t r;

	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

int hand_event(
	int fd, unsigned step, size_t member, enum weft_state state, const char *text)
{
	struct head h = {.member = member,
		.time = weft_now(),
		.step = step,
		.state = state,
		.last = 1};
	size_t n = strlen(text);

	return give(fd, &h, text, n < PIECE ? n : PIECE);
}

int hand_record(int fd, unsigned step, size_t member, const char *line, size_t n)
{
	struct head h = {.member = member, .step = step, .record = 1};

	while (!h.last) {
		size_t piece = n < PIECE ? n : PIECE;

		h.last = piece == n;
		if (give(fd, &h, line, piece))
			return -1;
		line += piece;
		n -= piece;
	}
	return 0;
}

int hand_take(int fd, struct hand_got *got, struct weft_err *err)
{
	static char data[PIECE + 1];
	struct head h;
	struct iovec v[] = {{&h, sizeof(h)}, {data, PIECE}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	ssize_t r = recvmsg(fd, &m, MSG_DONTWAIT);

	if (r < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 1
			       : weft_err_sys(err, WEFT_ESYS, "a member's socket");
	if ((size_t)r < sizeof(h))
		return 1; /* nobody is there any more */
	data[(size_t)r - sizeof(h)] = '\0';
	*got = (struct hand_got){.step = h.step,
		.member = (size_t)h.member,
		.record = h.record,
		.last = h.last,
		.state = (enum weft_state)h.state,
		.time = h.time,
		.data = data,
		.n = (size_t)r - sizeof(h)};
	return 0;
}
