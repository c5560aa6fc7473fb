#!/bin/sh
# golden.sh - plans and refusals as they were agreed on.
#
# tests/golden/plan/NAME.yaml is planned for NAME.cluster.yaml (or the folder's
# site.cluster.yaml) with NAME.conf (or site.conf): what is printed, as a table and
# as JSON, must be NAME.expected and NAME.expected.json; refused/NAME.yaml must be
# refused with NAME.expected and exit status.  UPDATE=1 writes what is printed now.
. "$(dirname "$0")/../lib.sh"
cd "$TOP" || exit 2
unset NO_COLOR SLURM_CONF
WEFT_CONF=/dev/null
export WEFT_CONF

# The first of these files that is there.
first() {
	for f in "$@"; do
		[ ! -f "$f" ] || { echo "$f"; return; }
	done
}

plan() { # FILE OPTION...: both streams with paths from the top, then the status
	file=$1 stem=${1%.yaml}
	shift
	"$WEFT" plan --cluster "$(first "$stem.cluster.yaml" tests/golden/plan/site.cluster.yaml)" \
		--conf "$(first "$stem.conf" tests/golden/plan/site.conf)" "$@" "$file" \
		>"$T_TMP/out" 2>&1
	echo "exit status $?" >"$T_TMP/status"
	sed "s|$TOP/||g" "$T_TMP/out"
}

compare() { # NAME EXPECTED GOT
	if [ -n "${UPDATE-}" ]; then
		cp "$3" "$2"
	elif cmp -s "$2" "$3"; then
		t_ok "$1"
	else
		t_fail "$1" "$(diff -u "$2" "$3")"
	fi
}

for f in tests/golden/plan/*.yaml; do
	case $f in *.cluster.yaml) continue ;; esac
	name=$(basename "$f" .yaml) stem=${f%.yaml}
	plan "$f" >"$T_TMP/text"
	t_is "$name is planned" "$(cat "$T_TMP/status")" "exit status 0"
	compare "$name as a table" "$stem.expected" "$T_TMP/text"
	plan "$f" --json >"$T_TMP/json"
	compare "$name as JSON" "$stem.expected.json" "$T_TMP/json"
	plan "$f" --json >"$T_TMP/again"
	t_run 0 "$name gives the same bytes again" cmp "$T_TMP/json" "$T_TMP/again"
done
for f in tests/golden/plan/refused/*.yaml; do
	case $f in *.cluster.yaml) continue ;; esac
	plan "$f" >"$T_TMP/text"
	cat "$T_TMP/status" >>"$T_TMP/text"
	compare "refused: $(basename "$f" .yaml)" "${f%.yaml}.expected" "$T_TMP/text"
done

# What a hint says is what works: "use mem: 250G at most; ...", "use nodes: 2, gpus: 4",
# "use A: 1 at most, and B: 3" are set, and the step is planned.
hint_works() { # NAME
	file=tests/golden/plan/refused/$1.yaml
	step=$(awk '$1 == "-" && $2 == "name:" { print $3; exit }
		/- \{name:/ { sub(/.*name: */, ""); sub(/,.*/, ""); print; exit }' "$file")
	sed -n 's/^  hint: use //p' "tests/golden/plan/refused/$1.expected" | head -n 1 |
		sed 's/;.*//; s/ at most//g; s/, or fewer.*//; s/, and more tasks//; s/, and /, /; s/, or another.*//' |
		tr ',' '\n' | sed 's/^ *//; s/: */=/' >"$T_TMP/keys"
	set --
	while read -r key; do
		set -- "$@" --set "steps.$step.resources.$key"
	done <"$T_TMP/keys"
	plan "$file" "$@" >"$T_TMP/text"
	t_is "the hint of $(basename "$file" .yaml) works" "$(cat "$T_TMP/status")" "exit status 0"
}
for name in cpus-by-gpu cpus-of-a-node cpus-of-a-task disk gpu-type-too-many gpus-in-all \
	gpus-of-a-node licenses memory memory-by-cpu memory-by-gpu memory-here nodes \
	nodes-least nodes-limit tasks-of-a-node time-here; do
	hint_works $name
done
t_done
