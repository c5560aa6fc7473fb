#include "plugin/spank/order.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ORDER_SECONDS 60 /* a file system that hangs must not hang srun */
#define ORDER_BYTES (4u << 20)

extern char **environ;

int order_fetch(const char *command, const char *conf, const char *what,
	const char *file, const char *step, struct order *order)
{
	const char *argv[] = {
		command, "ticket", "--records", "--for", what, "--", file, step, NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	weft_autoerr struct weft_err err = {0};
	struct weft_env env = {0};
	int status = 0, r = WEFT_EUSAGE;

	order->n = 0;
	order->text = NULL;
	if (weft_env_copy(&env, environ) ||
		(conf && weft_env_set(&env, "WEFT_CONF", conf))) {
		weft_err_nomem(&err);
		goto out;
	}
	s.argv = (char *const *)argv;
	s.envp = env.vars.v;
	if (weft_capture(
		    &s, ORDER_SECONDS, ORDER_BYTES, &order->text, NULL, &status, &err))
		goto out;
	order->n = strlen(order->text);
	for (size_t i = 0; i < order->n; i++)
		if (order->text[i] == ORDER_END)
			order->text[i] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status)) {
		r = WEXITSTATUS(status);
		goto out;
	}
	if (!WIFEXITED(status)) {
		weft_err_set(&err, WEFT_ESYS, "%s ticket: killed by signal %d", command,
			WTERMSIG(status));
		goto out;
	}
	r = 0;
out:
	if (r) {
		if (err.text)
			weft_log(WEFT_ERROR, "%s", err.text);
		order_free(order);
	}
	weft_env_free(&env);
	return r;
}

void order_free(struct order *order)
{
	free(order->text);
	order->text = NULL;
	order->n = 0;
}

bool order_next(const struct order *order, size_t *at, struct order_record *r)
{
	if (*at >= order->n)
		return false;
	r->kind = order->text + *at;
	r->value = strchr(r->kind, ' ');
	r->value = r->value ? r->value + 1 : "";
	*at += strlen(r->kind) + 1;
	return true;
}

bool order_is(const struct order_record *r, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(r->kind, kind, n) == 0 &&
	       (r->kind[n] == ' ' || r->kind[n] == '\0');
}

const char *order_get(const struct order *order, const char *kind)
{
	struct order_record r;

	for (size_t at = 0; order_next(order, &at, &r);)
		if (order_is(&r, kind))
			return r.value;
	return NULL;
}

bool order_setenv(const char *assignment, bool overwrite)
{
	size_t n = strcspn(assignment, "=");
	weft_autofree char *name = strndup(assignment, n);

	return name && n && assignment[n] == '=' &&
	       setenv(name, assignment + n + 1, overwrite) == 0;
}
