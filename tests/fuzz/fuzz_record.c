/* fuzz_record.c - a completion record: as it is, and with its checksum made right */
#include <jansson.h>

#include "fuzz_dir.h"
#include "journal/journal.h"

static void read_record(void)
{
	struct weft_record *r, *again;
	struct weft_err err = {0};

	if (weft_record_read(fuzz_dir(), &r, &err)) {
		fuzz_must(!r);
		fuzz_refused(&err);
		return;
	}
	fuzz_must(strcmp(weft_state_name(r->state), "?") != 0);
	/* What was taken in can be written, and comes back. */
	fuzz_must(weft_record_write(fuzz_dir(), r, &err) == 0);
	fuzz_must(weft_record_read(fuzz_dir(), &again, &err) == 0);
	fuzz_must(again->state == r->state && again->n_outputs == r->n_outputs);
	fuzz_must(strcmp(again->reason, r->reason) == 0);
	weft_record_free(r);
	weft_record_free(again);
}

static void write_summed(json_t *o)
{
	char hex[WEFT_DIGEST_HEX];

	json_object_del(o, "sum");
	weft_autofree char *s = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	fuzz_must(s);
	weft_digest(s, strlen(s), hex);
	json_object_set_new(o, "sum", json_string(hex));
	weft_autofree char *whole = json_dumps(o, JSON_COMPACT);
	fuzz_must(whole);
	fuzz_write(fuzz_dir(), "done.json", whole, strlen(whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, 0, NULL);

	fuzz_write(fuzz_dir(), "done.json", data, size);
	read_record();
	if (json_is_object(o)) {
		write_summed(o);
		read_record();
	}
	json_decref(o);
	return 0;
}
