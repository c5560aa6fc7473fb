/* secret.h - proofs, keys and MACs; private to the room */
#ifndef WEFT_WIRE_SECRET_H
#define WEFT_WIRE_SECRET_H

#include "wire/link.h"

#define SECRET 32
#define MAC 16

struct weft_auth {
	bool munge;
	char *socket; /* munge's, or NULL */
	unsigned char key[SECRET];
};

/* What both ends have told in the clear, and what of it a proof is bound to. */
struct proof {
	unsigned char nonce[2][SECRET];  /* of who spoke first, of the other */
	unsigned char secret[2][SECRET]; /* of the same, once proved */
	unsigned char context[SECRET];   /* hashed */
};

int secret_random(unsigned char *out, size_t n);
int secret_hash(const void *data, size_t n, unsigned char out[SECRET]);

/* auth.c: our proof, side 0 or 1, as text to send ("" without munge) */
int proof_make(const struct weft_auth *a, struct proof *p, unsigned side, char **text,
	struct weft_err *err);
/* Is theirs good?  Takes the secret out of it. */
int proof_check(const struct weft_auth *a, struct proof *p, unsigned side,
	const char *text, struct weft_err *err);
/* The keys of both directions: from side 0, from side 1. */
int proof_keys(
	const struct weft_auth *a, const struct proof *p, unsigned char key[2][SECRET]);

/* mac.c: of one direction */
struct mac {
	void *ctx;
	uint64_t frame; /* the number of the next one */
};
int mac_init(struct mac *m, const unsigned char key[SECRET]);
void mac_free(struct mac *m);
int mac_begin(struct mac *m);
int mac_add(struct mac *m, const void *data, size_t n);
int mac_end(struct mac *m, unsigned char tag[MAC]);
bool mac_same(const unsigned char a[MAC], const unsigned char b[MAC]);

#endif
