/* fuzz_units.c - durations, sizes, numbers, shell words */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = {"steps", "name", "resources"};
	weft_autofree char *text = fuzz_text(data, size);
	weft_autostr struct weft_str s = {0};
	char buf[WEFT_UNIT_MAX];
	const char *why;
	int64_t number;
	uint64_t bytes;

	if (weft_parse_duration(text, &number, &why)) {
		int64_t again;

		fuzz_must(number >= 0);
		weft_format_duration(buf, number);
		fuzz_must(strlen(buf) < sizeof(buf));
		fuzz_must(weft_parse_duration(buf, &again, &why) && again == number);
	} else {
		fuzz_must(why && *why);
	}
	if (weft_parse_size(text, &bytes, &why))
		fuzz_must(strlen(weft_format_size(buf, bytes)) < sizeof(buf));
	else
		fuzz_must(why && *why);
	if (weft_parse_int(text, -5, 4096, &number))
		fuzz_must(number >= -5 && number <= 4096);
	weft_nearest(text, words, WEFT_COUNT(words));
	weft_utf8_valid((const char *)data, size);
	weft_str_add_shell_word(&s, text);
	fuzz_must(!s.failed && s.len);
	return 0;
}
