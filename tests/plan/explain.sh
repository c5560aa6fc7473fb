#!/bin/sh
# explain.sh - weft plan --explain and --dot: as agreed on, and as the plan chooses.
#
# tests/golden/explain/NAME.expected is what is printed for the arguments below; UPDATE=1
# writes what is printed now.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/plan" || exit 2
unset NO_COLOR SLURM_CONF
WEFT_CONF=/dev/null
export WEFT_CONF

plan() { "$WEFT" plan --cluster site.cluster.yaml --conf site.conf "$@"; }
golden() { # NAME ARG...
	want=../explain/$1.expected name=$1
	shift
	plan "$@" >"$T_TMP/got" 2>&1 || echo "exit status $?" >>"$T_TMP/got"
	sed "s|$TOP|TOP|g" "$T_TMP/got" >"$T_TMP/out"
	if [ -n "${UPDATE-}" ]; then
		cp "$T_TMP/out" "$want"
	elif cmp -s "$want" "$T_TMP/out"; then
		t_ok "$name"
	else
		t_fail "$name" "$(diff -u "$want" "$T_TMP/out")"
	fi
}
golden default --explain plain sizes.yaml
golden gpus --explain gpus sizes.yaml
golden share --explain few shares.yaml
golden named --explain named sizes.yaml
golden disk --explain disk sizes.yaml
golden licence --set steps.licensed.resources.licenses=ansys:99 --explain licensed sizes.yaml
golden alternatives --explain hybrid workflow.yaml
golden first-alternative --set 'steps.hybrid.resources.any_of=[{ntasks: 2}, {gpus: 1}]' \
	--explain hybrid workflow.yaml
golden nothing --explain greedy refused/alternatives.yaml
golden waits --cluster waits.cluster.yaml --explain soon waits.yaml
golden other-alternative --cluster waits.cluster.yaml --explain other waits.yaml
golden unknown --explain plian sizes.yaml
golden policy --conf policy.conf --explain gpus policy.yaml
golden dot-needs --dot needs.yaml
golden dot-workflow --dot workflow.yaml
plan --dot workflow.yaml >"$T_TMP/again"
t_run 0 "the same bytes again" cmp "$T_TMP/again" ../explain/dot-workflow.expected
t_run 2 "one kind of output" "$WEFT" plan --dot --json sizes.yaml
t_run 2 "no partitions with --local" "$WEFT" plan --local --explain plain sizes.yaml

# What is called chosen is where the plan puts it, for every step.
agree() { # FILE CLUSTER
	plan --cluster "$2" --json "$1" >"$T_TMP/plan.json"
	python3 -c 'import json, sys
for s in json.load(sys.stdin)["steps"]:
	print(s["name"], s["partition"])' <"$T_TMP/plan.json" >"$T_TMP/planned"
	while read -r step _; do
		echo "$step $(plan --cluster "$2" --explain "$step" "$1" |
			sed -n "s/^$step: partition \\([a-z0-9-]*\\).*/\\1/p")"
	done <"$T_TMP/planned" >"$T_TMP/explained"
	t_is "the plan of $1 agrees" "$(diff "$T_TMP/planned" "$T_TMP/explained")" ''
	t_run 0 "and has steps" test -s "$T_TMP/planned"
}
agree sizes.yaml site.cluster.yaml
agree waits.yaml waits.cluster.yaml
t_done
