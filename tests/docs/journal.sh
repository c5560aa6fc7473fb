#!/bin/bash
# journal.sh - weft-journal.5 and what is written into a run say the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

page=$TOP/man/weft-journal.5
cd "$T_TMP" || exit 2
export WEFT_CONF=/dev/null
unset WEFT_RUNS SLURM_JOB_ID

# Keys that a section of the page lists.
keys() {
	awk -v want="$1" '/^\.Sh / { on = (substr($0, 5) == want) } on' "$page" |
		sed -n 's/^\.It Cm //p; s/^\.Cm \(name , path.*\) \.$/\1/p' | tr -d ' ' | tr ',' '\n' | sort -u
}
same() { # same WHAT PAGE CODE: texts of a key a line
	t_is "$1: keys that the page lacks" "$(comm -13 <(echo "$2") <(echo "$3") | tr '\n' ' ')" ''
	t_is "$1: keys that nobody writes" "$(comm -23 <(echo "$2") <(echo "$3") | tr '\n' ' ')" ''
}
lines() { sed -n '/^static void add_line/,/^}/p' "$TOP/libs/journal/events.c" |
	grep -oE '\\"[a-z_]+\\":|out, "[a-z_]+"' | grep -oE '[a-z_]+' | grep -v '^out$'; }
same "journal lines" "$(keys "JOURNAL LINES")" "$( (lines; echo sum) | sort -u)"
records() { sed -n '/ writing: /,/ reading /p' "$TOP/libs/journal/record_line.c" |
	grep -oE '\\"[a-z_]+\\":|\(out, "[a-z_]+",' | grep -oE '[a-z_]+' | grep -v '^out$'; }
same "records" "$(keys RECORDS)" "$( (records; echo sum) | sort -u)"
decisions() { sed -n '/^int weft_actions_add/,/^}/p' "$TOP/libs/journal/actions.c" |
	grep -oE '\\"[a-z_]+\\":' | grep -oE '[a-z_]+'; }
same "decisions" "$(keys DECISIONS)" "$( (decisions; echo sum) | sort -u)"
t_is "kinds of decisions" "$(sed -n '/^\.Sh DECISIONS/,/^\.Sh EX/s/^\.Ql \([a-z]*\) :$/\1/p' "$page" | tr '\n' ' ')" \
	"$(sed -n '/ kinds\[\] = {/,/}/p' "$TOP/libs/journal/actions.c" | grep -o '"[a-z]*"' | tr -d '"' | tr '\n' ' ')"

# And what a run really has in them.
cat >all.yaml <<'E'
name: all
labels: {a: b}
steps:
  - {name: sim, sweep: {k: [1, 2]}, max_failed: 2, run: "echo 1 >o; test ${{ params.k }} = 1", outputs: {o: o}}
  - {name: train, depends: [sim], run: "true"}
E
t_run 0 "a run" "$WEFT" run --local -q all.yaml
run=weft-runs/all/1
json_keys() { python3 -c '
import json, sys
keys = set()
for line in (sys.stdin if sys.argv[1] == "lines" else [sys.stdin.read()]):
    o = json.loads(line)
    keys |= set(o)
    for p in o.get("outputs", []):
        keys |= set(p)
print("\n".join(sorted(keys)))' "$1"; }
subset() { t_is "$1: keys that the page lacks" "$(comm -13 <(echo "$2") <(echo "$3") | tr '\n' ' ')" ''; }
subset "journal of a run" "$(keys "JOURNAL LINES")" "$(cat $run/journal/*.jsonl | json_keys lines)"
subset "records of a run" "$(keys RECORDS)" "$(cat $run/records/*.jsonl | json_keys lines)"
subset "done.json" "$( (keys RECORDS; echo format) | sort)" "$(json_keys all <$run/steps/train/done.json)"
same run.json "$(keys RUN.JSON)" "$(json_keys all <$run/run.json)"
t_is "the version" "$(grep -o '"format": [0-9]*' $run/run.json)" "\"format\": $(sed -n 's/^which is \([0-9]*\) here\.$/\1/p' "$page")"
t_is "a record begins as the page says" \
	"$(head -n 1 $run/records/local.jsonl | grep -oE '"[a-z]+":' | head -n 6 | tr -d '":\n')" stepindexmemberattemptstatecode
if command -v xxhsum >/dev/null; then
	line=$(head -n 1 $run/records/local.jsonl)
	t_is "the sum is what the page says" "$(printf '%s' "${line%,\"sum\":*}" | xxhsum -H2 - | cut -c1-8)" \
		"$(grep -o '[0-9a-f]*"}$' <<<"$line" | tr -d '"}')"
else
	t_skip "the sum" "xxhsum is not installed"
fi
t_done
