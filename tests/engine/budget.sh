#!/bin/bash
# budget.sh - a budget that is used up while the run goes on, in each mode of on_failure.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP WEFT_CONF=/dev/null
unset WEFT_RUNS
weft() { "$WEFT" "$@"; }
status() { weft status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }

# The first member uses it all up before it ends.
cat >spend.yaml <<E
name: spend
budget: {node_hours: 0.0001, gpu_hours: 1}
steps:
  - {name: first, run: "sleep \${{ vars.nap }}; touch $T_TMP/ended"}
  - {name: next, depends: [first], sweep: {replicas: 3}, run: "touch $T_TMP/next"}
  - {name: after, depends: [next], run: "touch $T_TMP/after"}
  - {name: last, finally: true, run: "true"}
vars: {nap: 0.6}
E
mode() { # EXIT MODE NAP
	rm -f ended next after
	t_run "$1" "on_failure: $2" weft run --local -q --set on_failure="$2" --set vars.nap="$3" spend.yaml
}
mode 4 stop 0.6
t_is "what runs finishes, nothing more starts" "$(states spend)" "done, failed, not run, done"
t_is "of a sweep one member says why" "$(status spend \
	'sum("used up" in (m["reason"] or "") for m in d["steps"][1]["members"]), d["steps"][1]["failed"]')" "3 1"
t_has "the reason has the figures" "$(status spend 'd["stopped"]')" "the budget is used up: 0.000"
t_has "and the limit" "$(status spend 'd["stopped"]')" " of 0.0001 node-hours"
t_has "status has what was used" "$(weft status spend)" "of 0.0001 node-hours, 0 of 1 GPU-hours"
t_is "for programs, too" "$(status spend \
	'd["budget"]["node_hours"]["limit"], d["budget"]["node_hours"]["used"] > 0.0001, d["budget"]["core_hours"]["limit"]')" \
	"0.0001 True None"
t_run 1 "no member of it ran" test -e next

mode 4 continue 0.6
t_is "continue: each that would take more fails" "$(states spend)" "done, failed, not run, done"
t_is "all members" "$(status spend 'd["steps"][1]["failed"], d["stopped"]')" "3 None"

# Nobody waits a minute for the member to end by itself.
mode 7 cancel 300
t_is "cancel: what runs is ended" "$(states spend)" "cancelled, not run, not run, done"
t_has "with the reason" "$(status spend 'd["stopped"]')" "the budget is used up"
t_run 1 "it didn't get to its end" test -e ended

# A budget that is not used up is none of anybody's business.
sed -i 's/node_hours: 0.0001/node_hours: 10/' spend.yaml
mode 0 stop 0
t_is "with enough of it all is done" "$(states spend)" "done, done, done, done"
t_done
