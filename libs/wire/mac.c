/*
 * mac.c - what of libcrypto there is in here.
 *
 * It is loaded with the first link: that every weft has it would cost each member of an
 * ensemble more than a millisecond.
 */
#include <dlfcn.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "wire/secret.h"

#define CRYPTO(X)                                                                      \
	X(EVP_Digest)                                                                  \
	X(EVP_sha256)                                                                  \
	X(EVP_aes_256_gcm)                                                             \
	X(EVP_CIPHER_CTX_new)                                                          \
	X(EVP_CIPHER_CTX_free)                                                         \
	X(EVP_CIPHER_CTX_ctrl)                                                         \
	X(EVP_EncryptInit_ex)                                                          \
	X(EVP_EncryptUpdate)                                                           \
	X(EVP_EncryptFinal_ex)                                                         \
	X(HMAC)                                                                        \
	X(CRYPTO_memcmp)                                                               \
	X(OPENSSL_cleanse)

static struct {
#define POINTER(name) __typeof__(&name) name;
	CRYPTO(POINTER)
#undef POINTER
	bool there;
} crypto;

#define TEXT(x) TEXT_OF(x)
#define TEXT_OF(x) #x
static void load(void)
{
	/* The one that the headers are of. */
	void *lib = dlopen(
		"libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION), RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return;
	crypto.there = true;
#define LOOKUP(name)                                                                   \
	crypto.name = (__typeof__(&name))dlsym(lib, #name);                            \
	crypto.there &= crypto.name != NULL;
	CRYPTO(LOOKUP)
#undef LOOKUP
}

static bool have_crypto(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return crypto.there;
}

int secret_random(unsigned char *out, size_t n)
{
	return getentropy(out, n);
}

int secret_hash(const void *data, size_t n, unsigned char out[SECRET])
{
	return have_crypto() && crypto.EVP_Digest(data, n, out, NULL,
					crypto.EVP_sha256(), NULL) == 1
		       ? 0
		       : -1;
}

/* One GCM context a direction: its key schedule is made once. */
int mac_init(struct mac *m, const unsigned char key[SECRET])
{
	EVP_CIPHER_CTX *ctx = have_crypto() ? crypto.EVP_CIPHER_CTX_new() : NULL;

	if (!ctx || crypto.EVP_EncryptInit_ex(
			    ctx, crypto.EVP_aes_256_gcm(), NULL, key, NULL) != 1) {
		if (ctx)
			crypto.EVP_CIPHER_CTX_free(ctx);
		return -1;
	}
	*m = (struct mac){.ctx = ctx};
	return 0;
}

void mac_free(struct mac *m)
{
	if (m->ctx)
		crypto.EVP_CIPHER_CTX_free(m->ctx);
	m->ctx = NULL;
}

int mac_begin(struct mac *m)
{
	unsigned char nonce[12] = {0};

	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = (unsigned char)(m->frame >> (56 - 8 * i));
	m->frame++;
	return crypto.EVP_EncryptInit_ex(m->ctx, NULL, NULL, NULL, nonce) == 1 ? 0 : -1;
}

int mac_add(struct mac *m, const void *data, size_t n)
{
	int done;

	/* Zero bytes would be the end of the additional data. */
	return n == 0 || (n <= INT_MAX && crypto.EVP_EncryptUpdate(m->ctx, NULL, &done,
						  data, (int)n) == 1)
		       ? 0
		       : -1;
}

int mac_end(struct mac *m, unsigned char tag[MAC])
{
	unsigned char none[16];
	int n;

	return crypto.EVP_EncryptFinal_ex(m->ctx, none, &n) == 1 &&
			       crypto.EVP_CIPHER_CTX_ctrl(
				       m->ctx, EVP_CTRL_AEAD_GET_TAG, MAC, tag) == 1
		       ? 0
		       : -1;
}

bool mac_same(const unsigned char a[MAC], const unsigned char b[MAC])
{
	return crypto.CRYPTO_memcmp(a, b, MAC) == 0;
}

static int hmac(const unsigned char *key, size_t n_key, const unsigned char *data,
	size_t n, unsigned char out[SECRET])
{
	return crypto.HMAC(crypto.EVP_sha256(), key, (int)n_key, data, n, out, NULL)
		       ? 0
		       : -1;
}

/* HKDF (RFC 5869): salt the nonces, info the context and the direction. */
int proof_keys(
	const struct weft_auth *a, const struct proof *p, unsigned char key[2][SECRET])
{
	unsigned char secret[3 * SECRET], prk[SECRET];
	struct {
		char label[12];
		unsigned char context[SECRET], side, count;
	} info = {.label = "weft link 1", .count = 1};
	int r;

	if (!have_crypto())
		return -1;
	_Static_assert(sizeof(info) == 12 + SECRET + 2, "no padding");
	memcpy(secret, a->key, SECRET);
	memcpy(secret + SECRET, p->secret, 2 * SECRET);
	r = hmac(&p->nonce[0][0], sizeof(p->nonce), secret, sizeof(secret), prk);
	memcpy(info.context, p->context, SECRET);
	for (unsigned side = 0; side < 2 && r == 0; side++) {
		info.side = (unsigned char)side;
		r = hmac(prk, sizeof(prk), (const unsigned char *)&info, sizeof(info),
			key[side]);
	}
	crypto.OPENSSL_cleanse(secret, sizeof(secret));
	crypto.OPENSSL_cleanse(prk, sizeof(prk));
	return r;
}
