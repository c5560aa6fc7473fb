#!/bin/sh
# golden.sh - placements on machines whose layout is published, beside what is
# expected.  WEFT_TEST_WRITE=1 writes what is there now: look at the difference.
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/place" || exit 2

while read -r name model options; do
	case $name in '' | '#'*) continue ;; esac
	# shellcheck disable=SC2086
	t_run 0 "$name is placed" "$WEFT" bind --topology "$model.model" --format map $options
	if [ -n "${WEFT_TEST_WRITE-}" ]; then
		printf '%s\n' "$T_OUT" >"$name.map"
	elif [ -f "$name.map" ]; then
		t_is "$name" "$T_OUT" "$(cat "$name.map")"
	else
		t_fail "$name" "no $name.map"
	fi
done <cases
t_done
