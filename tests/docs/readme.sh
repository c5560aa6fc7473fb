#!/bin/bash
# readme.sh - what README.md shows is what there is: the files, and the commands that
# need no Slurm.  A comment before a code block says what to do with it:
#
#   <!-- readme.sh: file PATH -->   it is that file, to the byte
#   <!-- readme.sh: run -->         it runs without an error, from the top of the tree
#   <!-- readme.sh: prints -->      the latest that ran printed its lines
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# block N: what is between the fences after the Nth comment
block() {
	awk -v n="$1" '/^<!-- readme.sh: / { i++; wait = i == n; next }
		on && /^```/ { exit }
		on { print }
		wait && /^```/ { on = 1; wait = 0 }' "$TOP/README.md"
}

cd "$TOP" || exit 1
n=0
while IFS= read -r what; do
	n=$((n + 1))
	block "$n" >"$T_TMP/block"
	[ -s "$T_TMP/block" ] || t_fail "block $n" "no code block after the comment '$what'"
	case $what in
	file\ *)
		t_is "README shows ${what#file }" "$(cat "$T_TMP/block")" "$(cat "${what#file }")"
		;;
	run)
		# It speaks of the build folder of a plain make.
		sed -i "s|\$PWD/build|$BUILD|" "$T_TMP/block"
		HOME=$T_TMP/home NO_COLOR=1 WEFT_CONF=/dev/null \
			t_run 0 "block $n runs" bash -eu "$T_TMP/block"
		;;
	prints)
		while IFS= read -r line; do
			t_has "block $n is printed" "$T_OUT" "$line"
		done <"$T_TMP/block"
		;;
	*) t_fail "block $n" "unknown comment '$what'" ;;
	esac
done < <(sed -n 's/^<!-- readme\.sh: \(.*\) -->$/\1/p' README.md)
t_is "comments found" "$([ "$n" -gt 2 ] && echo some)" some

# Every file and folder that a link or a room names is there.
while IFS= read -r path; do
	t_run 0 "there is $path" test -e "$path"
done < <(grep -oE '\]\([^)]+\)' README.md | sed 's/^](//; s/)$//'
	grep -oE '^\| `[a-z_/]+`( `[a-z]+`)*' README.md | grep -oE '[a-z_]+(/[a-z_]+)?')
# ... and every room is named.
for room in libs/* plugin/*; do
	t_has "README names $room" "$(cat README.md)" "| \`$room\` |"
done

for f in contrib/examples/*/*.yaml; do
	t_run 0 "weft check $f" "$WEFT" check "$f"
done
t_done
