# shellcheck shell=bash
# weft.sh - the contender: one command.
# shellcheck disable=SC2154
weft run -q --set "vars.simulate=$SIMULATE" --set "vars.train=$TRAIN" \
	--set "vars.hybrid=$HYBRID" "$HERE/flow.yaml" || exit
cat weft-runs/select/1/steps/hybrid/*/out/field
