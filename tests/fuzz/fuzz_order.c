/* fuzz_order.c - the answer of `weft ticket` to the plug-in */
#include "fuzz.h"
#include "plugin/spank/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct order o = {.text = fuzz_text(data, size)};
	struct order_record r;
	size_t at = 0, last = 0;

	o.n = strlen(o.text);
	for (size_t i = 0; i < o.n; i++)
		if (o.text[i] == ORDER_END)
			o.text[i] = '\0';
	while (order_next(&o, &at, &r)) {
		fuzz_must(at > last);
		last = at;
		fuzz_must(r.kind >= o.text && r.kind < o.text + o.n);
		order_is(&r, "size");
	}
	order_get(&o, "ticket");
	order_free(&o);
	return 0;
}
