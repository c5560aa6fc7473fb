/* bcast_meta.c - numbers as a broadcast sends them, and what stat says of a file */
#include "stage/bcast.h"

#include <string.h>
#include <sys/sysmacros.h>

void bcast_put16(unsigned char *at, uint16_t v)
{
	at[0] = (unsigned char)(v >> 8);
	at[1] = (unsigned char)v;
}

uint16_t bcast_get16(const unsigned char *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void bcast_put32(unsigned char *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(v >> (24 - 8 * i));
}

uint32_t bcast_get32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

void bcast_put64(unsigned char *at, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		at[i] = (unsigned char)(v >> (56 - 8 * i));
}

uint64_t bcast_get64(const unsigned char *at)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | at[i];
	return v;
}

static void put_n(unsigned char *at, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
}

void bcast_meta_write(unsigned char *at, const struct stat *st)
{
	const struct timespec *t[] = {&st->st_atim, &st->st_mtim, &st->st_ctim};

	put_n(at, st->st_mode, 4);
	put_n(at + 4, st->st_uid, 4);
	put_n(at + 8, st->st_gid, 4);
	put_n(at + 12, major(st->st_rdev), 4);
	put_n(at + 16, minor(st->st_rdev), 4);
	put_n(at + 20, (uint64_t)st->st_size, 8);
	put_n(at + 28, st->st_ino, 8);
	put_n(at + 36, (uint64_t)st->st_blocks, 8);
	for (int i = 0; i < 3; i++) {
		put_n(at + 44 + 16 * i, (uint64_t)t[i]->tv_sec, 8);
		put_n(at + 52 + 16 * i, (uint64_t)t[i]->tv_nsec, 8);
	}
	put_n(at + 92, st->st_nlink, 4);
}

static uint64_t get(const unsigned char *at, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

void bcast_meta_read(const unsigned char *at, struct stat *st)
{
	struct timespec *t[] = {&st->st_atim, &st->st_mtim, &st->st_ctim};

	memset(st, 0, sizeof(*st));
	st->st_mode = (mode_t)get(at, 4);
	st->st_uid = (uid_t)get(at + 4, 4);
	st->st_gid = (gid_t)get(at + 8, 4);
	st->st_rdev = makedev((unsigned)get(at + 12, 4), (unsigned)get(at + 16, 4));
	st->st_size = (off_t)(get(at + 20, 8) & INT64_MAX);
	st->st_ino = get(at + 28, 8);
	st->st_blocks = (blkcnt_t)(get(at + 36, 8) & INT64_MAX);
	st->st_nlink = (nlink_t)get(at + 92, 4);
	for (int i = 0; i < 3; i++) {
		t[i]->tv_sec = (time_t)get(at + 44 + 16 * i, 8);
		t[i]->tv_nsec = (long)(get(at + 52 + 16 * i, 8) % 1000000000);
	}
}
