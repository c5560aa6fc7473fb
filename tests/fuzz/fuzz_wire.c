/*
 * fuzz_wire.c - what an end of a link is sent: by a stranger in place of a handshake;
 * in place of frames; and as frames whose MACs are true, by somebody who has the key
 * and means ill
 *
 * The first byte says which of the three, the second at which end and in which pieces.
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire/link_room.h"

static struct weft_auth *auth;
static struct weft_loop *loop;
static unsigned opened, frames, closed;
static struct weft_err why;
static void *placed;

static void on_open(void *arg, struct weft_link *l)
{
	(void)arg;
	(void)l;
	opened++;
}

static void on_frame(
	void *arg, struct weft_link *l, unsigned type, void *data, size_t n)
{
	unsigned char sum = 0;

	(void)arg;
	fuzz_must(type < WEFT_LINK_TYPES && n <= l->opt.max_frame);
	for (size_t i = 0; i < n; i++)
		sum ^= ((unsigned char *)data)[i];
	frames += 1 + (sum & 0);
	if (data == placed) {
		free(placed);
		placed = NULL;
	}
	/* As owners do in the middle of things. */
	if (type == 7)
		weft_link_send(l, 8, data, n);
	else if (type == 9)
		weft_link_close(l, "nine");
}

static void *on_place(void *arg, struct weft_link *l, unsigned type, size_t n)
{
	(void)arg;
	(void)l;
	fuzz_must(!placed && n > WEFT_LINK_SMALL);
	placed = type == 6 ? NULL : malloc(n);
	return placed;
}

static void on_closed(void *arg, struct weft_link *l, const struct weft_err *err)
{
	(void)arg;
	(void)l;
	closed++;
	fuzz_must(err->code == WEFT_OK || (err->text && *err->text));
}

static const struct weft_link_events events = {
	on_open, on_frame, on_place, NULL, on_closed};

static void start(void)
{
	if (auth)
		return;
	fuzz_must(
		weft_auth_parse(&auth,
			"key:0000000000000000000000000000000000000000000000000000000000"
			"000000",
			&why) == 0);
	fuzz_must(weft_loop_new(&loop, &why) == 0);
}

static void turns(unsigned n)
{
	while (n--)
		weft_loop_turn(loop, 0);
}

/* What the link says is of no interest. */
static void drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void feed(int fd, const uint8_t *data, size_t size, size_t piece)
{
	while (size && !closed) {
		size_t n = size < piece ? size : piece;
		ssize_t sent = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		turns(2);
		drain(fd);
		if (sent <= 0)
			return;
		data += sent;
		size -= (size_t)sent;
	}
	turns(3);
}

static struct weft_link *adopt(int fd, bool first)
{
	struct weft_link_options opt = {.auth = auth,
		.context = "fuzz",
		.on = &events,
		.max_frame = 100000,
		.window = 200000};
	struct weft_link *l;

	fuzz_must(weft_link_adopt(&l, loop, fd, first, &opt, &why) == 0);
	return l;
}

/* The bytes are frames without MACs; they get true ones. */
static void ill_will(struct weft_link *peer, int fd, const uint8_t *data, size_t size)
{
	while (size >= HEAD && !closed) {
		size_t n = get32(data) % (size - HEAD + 1);
		weft_autofree unsigned char *f = malloc(HEAD + n + MAC);

		fuzz_must(f);
		memcpy(f, data, HEAD + n);
		put32(f, (uint32_t)n);
		f[6] = f[7] = 0;
		fuzz_must(mac_begin(&peer->out_mac) == 0 &&
			  mac_add(&peer->out_mac, f, HEAD + n) == 0 &&
			  mac_end(&peer->out_mac, f + HEAD + n) == 0);
		feed(fd, f, HEAD + n + MAC, 50000);
		data += HEAD + n;
		size -= HEAD + n;
	}
}

static void carry(int from, int to)
{
	char buf[8192];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		fuzz_must(send(to, buf, (size_t)n, MSG_NOSIGNAL) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int one[2], two[2];

	if (size < 2)
		return 0;
	start();
	unsigned how = data[0] % 3;
	size_t piece = data[1] >> 1 ? (size_t)(data[1] >> 1) * 64 : 1;
	bool first = data[1] & 1;
	data += 2;
	size -= 2;
	opened = frames = closed = 0;
	placed = NULL;
	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, one) == 0);
	struct weft_link *l = adopt(one[0], first), *peer = NULL;
	two[0] = two[1] = -1;
	if (how) {
		fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two) == 0);
		peer = adopt(two[0], !first);
		for (int i = 0; i < 100 && opened < 2; i++) {
			turns(1);
			carry(one[1], two[1]);
			carry(two[1], one[1]);
		}
		fuzz_must(opened == 2 && !closed);
	}
	if (how < 2)
		feed(one[1], data, size, piece);
	else
		ill_will(peer, one[1], data, size);
	/* Nobody without the key gets anything through. */
	fuzz_must(how == 2 || (!frames && opened == (how ? 2U : 0U)));
	weft_link_free(l);
	weft_link_free(peer);
	free(placed);
	close(one[1]);
	if (how)
		close(two[1]);
	turns(2);
	return 0;
}
