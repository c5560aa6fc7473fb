/* fuzz_records.c - files of members' records: as they are, and each line with its
 * checksum made right; whatever is in them, the store says the same twice */
#include "fuzz_dir.h"
#include "journal/journal.h"

#define FLOW                                                                           \
	"name: f\nparams: {k: {range: [1, 40]}}\nsteps:\n"                             \
	"  - {name: sim, run: x, sweep: [k]}\n  - {name: train, run: x}\n"

static struct weft_workflow *wf;

static void read_all(const struct weft_run *run)
{
	struct weft_records *a, *b;
	struct weft_records_odd odd;
	struct weft_err err = {0};

	fuzz_must(weft_records_open(run, wf, &a, &err) == 0);
	fuzz_must(weft_records_open(run, wf, &b, &err) == 0);
	fuzz_must(weft_records_poll(a, NULL, NULL, &err) == 0);
	fuzz_must(weft_records_poll(b, NULL, NULL, &err) == 0);
	fuzz_must(weft_records_poll(b, NULL, NULL, &err) == 0);
	for (unsigned s = 0; s < wf->n_steps; s++)
		for (size_t i = 0; i < wf->step[s].sweep.count; i++) {
			struct weft_record_head x = weft_records_head(a, s, i),
						y = weft_records_head(b, s, i);
			struct weft_record *r;

			fuzz_must(x.known == y.known && x.state == y.state &&
				  x.attempt == y.attempt && x.code == y.code);
			if (!x.known)
				continue;
			/* What has a head may be no record as a whole. */
			if (weft_records_read(a, s, i, &r, &err)) {
				fuzz_refused(&err);
				weft_err_clear(&err);
				continue;
			}
			fuzz_must(r->state == x.state && r->attempt == x.attempt);
			weft_record_free(r);
		}
	weft_records_odd(a, &odd);
	weft_records_free(a);
	weft_records_free(b);
}

/* What is taken in can be written, and comes back. */
static void round_trip(const char *line, size_t n)
{
	struct weft_record *r = weft_record_parse(line, n), *again;
	weft_autostr struct weft_str out = {0};

	if (!r)
		return;
	fuzz_must(weft_record_print(r, &out, NULL) == 0);
	again = weft_record_parse(out.s, out.len);
	fuzz_must(again && again->state == r->state);
	fuzz_must(again->n_outputs == r->n_outputs);
	fuzz_must(strcmp(again->step, r->step) == 0);
	weft_record_free(again);
	weft_record_free(r);
}

static void add_summed(struct weft_str *out, const char *line)
{
	const char *old = strstr(line, ",\"sum\":");
	size_t n = old ? (size_t)(old - line) : strlen(line), from = out->len;
	char hex[WEFT_DIGEST_HEX];

	if (!old && n && line[n - 1] == '}')
		n--;
	weft_digest(line, n, hex);
	weft_str_printf(out, "%.*s,\"sum\":\"%.8s\"}\n", (int)n, line, hex);
	if (!out->failed)
		round_trip(out->s + from, out->len - from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct weft_run run;
	weft_autofree char *text = fuzz_text(data, size);
	weft_autostr struct weft_str summed = {0};
	struct weft_errs errs = {0};
	char *rest = text;

	if (!run.dir) {
		run.dir = (char *)fuzz_dir();
		weft_autofree char *dir = weft_path_join(run.dir, "records");
		fuzz_must(weft_mkdirs(dir, 0700, NULL) == 0);
		fuzz_must(weft_spec_parse("/f.yaml", FLOW, strlen(FLOW), NULL, &wf,
				  &errs) == 0);
	}
	fuzz_write(run.dir, "records/raw.jsonl", data, size);
	for (char *line; (line = fuzz_line(&rest));)
		add_summed(&summed, line);
	fuzz_write(run.dir, "records/summed.jsonl", summed.s, summed.len);
	read_all(&run);
	return 0;
}
