/* fuzz_journal.c - a journal's lines: as they are, and each with its checksum made
 * right, so that what is behind it is read too */
#include "fuzz_dir.h"
#include "journal/journal.h"

static void read_all(const struct weft_run *run)
{
	struct weft_reader *r;
	struct weft_event *e;
	struct weft_err err = {0};
	size_t n;

	fuzz_must(weft_reader_open(run, &r, &err) == 0);
	fuzz_must(weft_reader_poll(r, &e, &n, &err) == 0);
	for (size_t i = 0; i < n; i++) {
		fuzz_must(e[i].step && e[i].member && e[i].job && e[i].text);
		fuzz_must(strcmp(weft_state_name(e[i].state), "?") != 0);
		fuzz_must(i == 0 || !(e[i].time < e[i - 1].time));
	}
	weft_events_free(e, n);
	fuzz_must(weft_reader_poll(r, &e, &n, &err) == 0 && n == 0);
	weft_reader_free(r);
}

static void add_summed(struct weft_str *out, const char *line)
{
	const char *old = strstr(line, ",\"sum\":");
	size_t n = old ? (size_t)(old - line) : strlen(line);
	char hex[WEFT_DIGEST_HEX];

	if (!old && n && line[n - 1] == '}')
		n--;
	weft_digest(line, n, hex);
	weft_str_printf(out, "%.*s,\"sum\":\"%.8s\"}\n", (int)n, line, hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct weft_run run;
	weft_autofree char *text = fuzz_text(data, size);
	weft_autostr struct weft_str summed = {0};
	char *rest = text;

	if (!run.dir) {
		run.dir = (char *)fuzz_dir();
		weft_autofree char *dir = weft_path_join(run.dir, "journal");
		fuzz_must(weft_mkdirs(dir, 0700, NULL) == 0);
	}
	fuzz_write(run.dir, "journal/raw.jsonl", data, size);
	for (char *line; (line = fuzz_line(&rest));)
		add_summed(&summed, line);
	fuzz_write(run.dir, "journal/summed.jsonl", summed.s, summed.len);
	read_all(&run);
	return 0;
}
