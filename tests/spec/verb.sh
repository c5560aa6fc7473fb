#!/bin/sh
# verb.sh - weft check as people and scripts use it: several files, --json, --quiet,
# --set, --overlay, and what is no file.
. "$(dirname "$0")/../lib.sh"

good=$TOP/tests/golden/good/heat.yaml
bad=$TOP/tests/golden/check/unknown-resource.yaml

t_run 0 "a good file" "$WEFT" check "$good"
t_is "says how much there is" "$T_OUT" "$good: ok, 3 steps, 62 members"
t_run 0 "--quiet says nothing of it" "$WEFT" check --quiet "$good"
t_is "nothing" "$T_OUT" ""
t_run 3 "good and bad" "$WEFT" check "$good" "$bad"
t_has "the good one is ok" "$T_OUT" "heat.yaml: ok"
t_has "the bad one is not" "$T_OUT" "$bad:5:17: error: steps[0].resources.ntask: unknown key"
t_run 3 "bad comes first, and the rest is still read" "$WEFT" check "$bad" "$good"
t_has "the good one is ok" "$T_OUT" "heat.yaml: ok"
t_run 2 "no file" "$WEFT" check
t_run 2 "an unknown option" "$WEFT" check --jsn "$good"
t_has "says what is near" "$T_OUT" "--json"

"$WEFT" check "$good" "$bad" >"$T_TMP/out" 2>"$T_TMP/err"
t_is "what is good goes to standard output" "$(cat "$T_TMP/out")" \
	"$good: ok, 3 steps, 62 members"
t_has "what is wrong to standard error" "$(cat "$T_TMP/err")" "unknown key"

t_run 3 "as JSON" "$WEFT" check --json "$good" "$bad"
for part in '"ok": true' '"ok": false' '"members": 62' '"line": 5' '"column": 17' \
	'"path": "steps[0].resources.ntask"' '"text": "unknown key"' \
	'"hint": "did you mean `ntasks`?"' '"code": "spec"' '"total": 1'; do
	t_has "JSON has $part" "$T_OUT" "$part"
done
t_run 0 "good as JSON" "$WEFT" check --json "$good"

for file in "$T_TMP/none.yaml" "$T_TMP" /dev/null; do
	"$WEFT" check "$file" >"$T_TMP/out" 2>&1
	status=$?
	if [ $status -gt 0 ] && [ $status -lt 8 ] && [ -s "$T_TMP/out" ]; then
		t_ok "$(basename "$file") is refused with a message"
	else
		t_fail "$(basename "$file") is refused with a message" \
			"exit status $status: $(cat "$T_TMP/out")"
	fi
done

t_run 0 "--set changes the number of members" \
	"$WEFT" check --set 'params.seed={range: [1, 2]}' "$good"
t_has "six and two" "$T_OUT" "3 steps, 8 members"
printf 'params: {kappa: [1]}\n' >"$T_TMP/small.yaml"
t_run 0 "--overlay too" "$WEFT" check --overlay "$T_TMP/small.yaml" "$good"
t_has "twenty and two" "$T_OUT" "3 steps, 22 members"
t_done
