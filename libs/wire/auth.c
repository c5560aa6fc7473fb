/*
 * auth.c - proofs that the other end is ours: munge credentials, or a shared key
 *
 * libmunge is loaded when it is first needed: the same program runs where a site has
 * another way to authenticate, and there is no libmunge.
 */
#include <dlfcn.h>
#include <errno.h>
#include <munge.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/secret.h"

static struct munge {
	__typeof__(&munge_ctx_create) ctx_create;
	__typeof__(&munge_ctx_destroy) ctx_destroy;
	__typeof__(&munge_ctx_set) ctx_set;
	__typeof__(&munge_ctx_strerror) ctx_strerror;
	__typeof__(&munge_encode) encode;
	__typeof__(&munge_decode) decode;
} munge;

static const struct {
	const char *name;
	size_t at;
} munge_symbol[] = {
	{"munge_ctx_create", offsetof(struct munge, ctx_create)},
	{"munge_ctx_destroy", offsetof(struct munge, ctx_destroy)},
	{"munge_ctx_set", offsetof(struct munge, ctx_set)},
	{"munge_ctx_strerror", offsetof(struct munge, ctx_strerror)},
	{"munge_encode", offsetof(struct munge, encode)},
	{"munge_decode", offsetof(struct munge, decode)},
};

static int munge_load(struct weft_err *err)
{
	struct munge m;

	if (munge.encode)
		return 0;
	void *so = dlopen("libmunge.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return weft_err_set(err, WEFT_ESYS, "munge: %s", dlerror());
	for (size_t i = 0; i < WEFT_COUNT(munge_symbol); i++) {
		void *f = dlsym(so, munge_symbol[i].name);

		if (!f) {
			weft_err_set(err, WEFT_ESYS, "munge: no %s in its library",
				munge_symbol[i].name);
			dlclose(so);
			return -1;
		}
		memcpy((char *)&m + munge_symbol[i].at, &f, sizeof(f));
	}
	munge = m;
	return 0;
}

static int munge_fail(munge_ctx_t ctx, munge_err_t e, struct weft_err *err)
{
	const char *text = munge.ctx_strerror(ctx);

	weft_err_set(err, WEFT_ESYS, "munge: %s", text ? text : "failed");
	if (err && e != EMUNGE_SOCKET && e != EMUNGE_TIMEOUT && e != EMUNGE_NO_MEMORY)
		err->sys = EACCES;
	return -1;
}

static int munge_open(const struct weft_auth *a, munge_ctx_t *ctx, struct weft_err *err)
{
	if (munge_load(err))
		return -1;
	*ctx = munge.ctx_create();
	if (!*ctx)
		return weft_err_nomem(err);
	munge_err_t e = a->socket ? munge.ctx_set(*ctx, MUNGE_OPT_SOCKET, a->socket)
				  : EMUNGE_SUCCESS;
	if (e == EMUNGE_SUCCESS)
		return 0;
	munge_fail(*ctx, e, err);
	munge.ctx_destroy(*ctx);
	return -1;
}

/* What a credential holds; all bytes, so the same on any machine. */
struct sealed {
	char label[15];
	unsigned char side;
	unsigned char nonce[2][SECRET], context[SECRET], secret[SECRET];
};

static void fill(struct sealed *s, const struct proof *p, unsigned side)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->label, "weft link proof", sizeof(s->label));
	s->side = (unsigned char)side;
	memcpy(s->nonce, p->nonce, sizeof(s->nonce));
	memcpy(s->context, p->context, SECRET);
}

/* Only a process of this uid can open it, so its secret is ours alone. */
static int seal(const struct weft_auth *a, const struct sealed *s, char **text,
	struct weft_err *err)
{
	munge_ctx_t ctx;

	*text = NULL;
	if (munge_open(a, &ctx, err))
		return -1;
	munge_err_t e = munge.ctx_set(ctx, MUNGE_OPT_UID_RESTRICTION, geteuid());
	if (e == EMUNGE_SUCCESS)
		e = munge.encode(text, ctx, s, sizeof(*s));
	if (e != EMUNGE_SUCCESS)
		munge_fail(ctx, e, err);
	munge.ctx_destroy(ctx);
	return e == EMUNGE_SUCCESS ? 0 : -1;
}

int proof_make(const struct weft_auth *a, struct proof *p, unsigned side, char **text,
	struct weft_err *err)
{
	struct sealed s;

	*text = NULL;
	if (!a->munge) {
		*text = strdup("");
		return *text ? 0 : weft_err_nomem(err);
	}
	fill(&s, p, side);
	if (secret_random(s.secret, SECRET))
		return weft_err_sys(err, WEFT_ESYS, "random numbers");
	memcpy(p->secret[side], s.secret, SECRET);
	return seal(a, &s, text, err);
}

int proof_check(const struct weft_auth *a, struct proof *p, unsigned side,
	const char *text, struct weft_err *err)
{
	struct sealed want;
	munge_ctx_t ctx;
	void *data = NULL;
	int len = 0;
	uid_t uid = (uid_t)-1;
	gid_t gid;

	/* Without munge the first frame's MAC is the proof. */
	if (!a->munge)
		return 0;
	if (munge_open(a, &ctx, err))
		return -1;
	fill(&want, p, side);
	munge_err_t e = munge.decode(text, ctx, &data, &len, &uid, &gid);
	int r = -1;
	if (e != EMUNGE_SUCCESS) {
		munge_fail(ctx, e, err);
	} else if (uid != geteuid()) {
		weft_err_set(err, WEFT_ESYS, "the other end is user %u, not %u",
			(unsigned)uid, (unsigned)geteuid());
	} else if ((size_t)len != sizeof(want) ||
		   memcmp(data, &want, offsetof(struct sealed, secret)) != 0) {
		weft_err_set(err, WEFT_ESYS, "the proof is for another link");
	} else {
		memcpy(p->secret[side],
			(const char *)data + offsetof(struct sealed, secret), SECRET);
		r = 0;
	}
	if (r && err && !err->sys)
		err->sys = EACCES;
	if (data) {
		explicit_bzero(data, (size_t)len);
		free(data);
	}
	munge.ctx_destroy(ctx);
	return r;
}

/* ---- what to prove it with --------------------------------------------------- */

int weft_auth_new_key(struct weft_auth **auth, struct weft_err *err)
{
	struct weft_auth *a = calloc(1, sizeof(*a));

	*auth = NULL;
	if (!a)
		return weft_err_nomem(err);
	if (secret_random(a->key, SECRET)) {
		free(a);
		return weft_err_sys(err, WEFT_ESYS, "random numbers");
	}
	*auth = a;
	return 0;
}

static int new_munge(struct weft_auth **auth, const char *socket, struct weft_err *err)
{
	struct weft_auth *a = calloc(1, sizeof(*a));

	*auth = NULL;
	if (!a || (socket && !(a->socket = strdup(socket)))) {
		free(a);
		return weft_err_nomem(err);
	}
	a->munge = true;
	*auth = a;
	return 0;
}

/* A credential is made and thrown away: so its daemon is seen to answer. */
static bool munge_answers(const struct weft_auth *a)
{
	struct sealed s = {.label = "weft link probe"};
	weft_autofree char *text = NULL;

	return seal(a, &s, &text, NULL) == 0;
}

/* AuthInfo=ttl=60,socket=/run/cluster/munge: a daemon of the cluster's own. */
static char *slurms_socket(void)
{
	weft_autofree char *info = weft_slurm_conf_value("AuthInfo");
	char *save = NULL;

	for (char *w = info ? strtok_r(info, ",", &save) : NULL; w;
		w = strtok_r(NULL, ",", &save))
		if (weft_starts_with(w, "socket="))
			return strdup(w + strlen("socket="));
	return NULL;
}

int weft_auth_new(
	struct weft_auth **auth, const char *munge_socket, struct weft_err *err)
{
	weft_autofree char *slurms = munge_socket ? NULL : slurms_socket();

	if (new_munge(auth, munge_socket ? munge_socket : slurms, err))
		return -1;
	if (munge_answers(*auth))
		return 0;
	weft_auth_free(*auth);
	return weft_auth_new_key(auth, err);
}

void weft_auth_free(struct weft_auth *auth)
{
	if (!auth)
		return;
	explicit_bzero(auth->key, SECRET);
	free(auth->socket);
	free(auth);
}

bool weft_auth_is_munge(const struct weft_auth *auth)
{
	return auth->munge;
}

int weft_auth_text(const struct weft_auth *auth, struct weft_str *text)
{
	if (auth->munge) {
		weft_str_add(text, "munge");
		if (auth->socket)
			weft_str_printf(text, ":%s", auth->socket);
	} else {
		weft_str_add(text, "key:");
		for (size_t i = 0; i < SECRET; i++)
			weft_str_printf(text, "%02x", auth->key[i]);
	}
	return text->failed ? -1 : 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

int weft_auth_parse(struct weft_auth **auth, const char *text, struct weft_err *err)
{
	*auth = NULL;
	if (weft_streq(text, "munge"))
		return new_munge(auth, NULL, err);
	if (weft_starts_with(text, "munge:/"))
		return new_munge(auth, text + strlen("munge:"), err);
	if (!weft_starts_with(text, "key:") || strlen(text) != 4 + 2 * SECRET)
		return weft_err_set(
			err, WEFT_ESYS, "%s: neither munge nor a key", WEFT_AUTH_ENV);
	struct weft_auth *a = calloc(1, sizeof(*a));
	if (!a)
		return weft_err_nomem(err);
	for (size_t i = 0; i < SECRET; i++) {
		int high = digit(text[4 + 2 * i]), low = digit(text[5 + 2 * i]);

		if (high < 0 || low < 0) {
			weft_auth_free(a);
			return weft_err_set(
				err, WEFT_ESYS, "%s: not a key", WEFT_AUTH_ENV);
		}
		a->key[i] = (unsigned char)(high << 4 | low);
	}
	*auth = a;
	return 0;
}

int weft_auth_from_env(struct weft_auth **auth, struct weft_err *err)
{
	char *text = getenv(WEFT_AUTH_ENV);

	*auth = NULL;
	if (!text)
		return weft_err_set(err, WEFT_ESYS, "no %s in the environment: %s",
			WEFT_AUTH_ENV, "whoever starts this sets it");
	int r = weft_auth_parse(auth, text, err);
	/* Not only the name goes: /proc/PID/environ shows the bytes. */
	explicit_bzero(text, strlen(text));
	unsetenv(WEFT_AUTH_ENV);
	return r;
}
