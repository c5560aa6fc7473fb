#!/bin/sh
# golden.sh - `weft check` prints what tests/golden/check expects for each bad file,
# byte for byte, and finds nothing wrong with the good ones.
#
# A file's .expected holds both streams; .args, if there, further arguments.
. "$(dirname "$0")/../lib.sh"

cd "$TOP/tests/golden/check" || exit 2
for file in *.yaml; do
	case $file in *.overlay.yaml) continue ;; esac
	name=${file%.yaml}
	args=
	[ ! -f "$name.args" ] || args=$(cat "$name.args")
	# shellcheck disable=SC2086
	got=$("$WEFT" check $args "$file" 2>&1)
	status=$?
	if [ $status -ne 3 ]; then
		t_fail "$name" "exit status $status, not 3
$got"
	else
		t_is "$name" "$got" "$(cat "$name.expected")"
	fi
done

cd "$TOP/tests/golden/good" || exit 2
for file in *.yaml "$TOP"/contrib/examples/*/*.yaml; do
	t_run 0 "$(basename "$file") is good" "$WEFT" check "$file"
done
t_done
