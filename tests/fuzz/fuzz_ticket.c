/* fuzz_ticket.c - the order of a step, every byte of which is the user's to forge: as
 * it is, and with its checksum made right */
#include "fuzz.h"
#include "ticket/ticket.h"

static void decode(const char *text)
{
	weft_autostr struct weft_str one = {0}, two = {0};
	struct weft_ticket t, zero, again;
	struct weft_err err = {0};

	memset(&zero, 0, sizeof(zero));
	if (weft_ticket_decode(text, &t, &err)) {
		fuzz_must(memcmp(&t, &zero, sizeof(t)) == 0);
		fuzz_refused(&err);
		return;
	}
	fuzz_must(strlen(text) <= WEFT_TICKET_MAX);
	fuzz_must(memchr(t.step, '\0', sizeof(t.step)));
	fuzz_must(weft_ticket_encode(&t, &one) == 0);
	fuzz_must(weft_ticket_decode(one.s, &again, NULL) == 0);
	fuzz_must(weft_ticket_encode(&again, &two) == 0);
	fuzz_must(strcmp(one.s, two.s) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	weft_autofree char *text = fuzz_text(data, size);
	weft_autostr struct weft_str summed = {0};
	const char *sum = strstr(text, " sum=");
	char digest[WEFT_DIGEST_HEX];

	decode(text);
	weft_str_addn(&summed, text, sum ? (size_t)(sum - text) : strlen(text));
	weft_str_add(&summed, " sum=");
	weft_digest(summed.s, summed.len, digest);
	weft_str_addn(&summed, digest, 16);
	fuzz_must(!summed.failed);
	decode(summed.s);
	return 0;
}
