/* bcast_piece.c - pieces, and the queue between a loop and a thread */
#include "stage/bcast.h"

#include <stdlib.h>

#define LAST ((uint64_t)1 << 63)

/* Full ones are used again, the last first: its memory is mapped, and perhaps still in
 * a cache. */
static struct {
	pthread_mutex_t lock;
	struct bcast_piece *spare;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct bcast_piece *take_full(void)
{
	struct bcast_piece *p;

	pthread_mutex_lock(&pool.lock);
	p = pool.spare;
	if (p)
		pool.spare = p->next;
	pthread_mutex_unlock(&pool.lock);
	return p ? p : malloc(sizeof(*p) + 8 + BCAST_PIECE);
}

static void give_back(struct bcast_piece *p)
{
	pthread_mutex_lock(&pool.lock);
	p->next = pool.spare;
	pool.spare = p;
	pthread_mutex_unlock(&pool.lock);
}

void bcast_piece_trim(void)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.spare) {
		struct bcast_piece *p = pool.spare;

		pool.spare = p->next;
		free(p);
	}
	pthread_mutex_unlock(&pool.lock);
}

struct bcast_piece *bcast_piece_new(size_t n)
{
	bool full = n > BCAST_PIECE / 2 && n <= BCAST_PIECE;
	struct bcast_piece *p = full ? take_full() : malloc(sizeof(*p) + 8 + n);

	if (!p)
		return NULL;
	p->full = full;
	p->users = 1;
	p->no = 0;
	p->last = false;
	p->n = n;
	return p;
}

struct bcast_piece *bcast_piece_use(struct bcast_piece *p)
{
	p->users++;
	return p;
}

void bcast_piece_drop(void *arg)
{
	struct bcast_piece *p = arg;

	if (!p || atomic_fetch_sub(&p->users, 1) != 1)
		return;
	if (p->full)
		give_back(p);
	else
		free(p);
}

void bcast_piece_number(struct bcast_piece *p, uint64_t no, bool last)
{
	p->no = no;
	p->last = last;
	bcast_put64(p->frame, no | (last ? LAST : 0));
}

void bcast_piece_read(struct bcast_piece *p)
{
	uint64_t v = bcast_get64(p->frame);

	p->no = v & ~LAST;
	p->last = (v & LAST) != 0;
}

void bcast_queue_init(struct bcast_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->moved, NULL);
	q->first = q->n = q->bytes = 0;
	q->closed = false;
}

void bcast_queue_free(struct bcast_queue *q)
{
	struct bcast_piece *p;

	while ((p = bcast_queue_take(q, false)))
		bcast_piece_drop(p);
	pthread_cond_destroy(&q->moved);
	pthread_mutex_destroy(&q->lock);
}

int bcast_queue_put(struct bcast_queue *q, struct bcast_piece *p, size_t limit)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && q->n && (q->bytes >= limit || q->n == BCAST_SLOTS))
		pthread_cond_wait(&q->moved, &q->lock);
	closed = q->closed;
	if (!closed) {
		q->slot[(q->first + q->n++) % BCAST_SLOTS] = p;
		q->bytes += p->n;
		pthread_cond_broadcast(&q->moved);
	}
	pthread_mutex_unlock(&q->lock);
	if (!closed)
		return 0;
	bcast_piece_drop(p);
	return -1;
}

struct bcast_piece *bcast_queue_take(struct bcast_queue *q, bool wait)
{
	struct bcast_piece *p = NULL;

	pthread_mutex_lock(&q->lock);
	while (wait && !q->closed && !q->n)
		pthread_cond_wait(&q->moved, &q->lock);
	if (q->n && !(wait && q->closed)) {
		p = q->slot[q->first];
		q->first = (q->first + 1) % BCAST_SLOTS;
		q->n--;
		q->bytes -= p->n;
		pthread_cond_broadcast(&q->moved);
	}
	pthread_mutex_unlock(&q->lock);
	return p;
}

void bcast_queue_close(struct bcast_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->moved);
	pthread_mutex_unlock(&q->lock);
}

size_t bcast_queue_bytes(struct bcast_queue *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->bytes;
	pthread_mutex_unlock(&q->lock);
	return n;
}
