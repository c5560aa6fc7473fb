#!/usr/bin/env bash
# Every fuzz target for a short while: inputs that were findings once, then changed
# copies of its seeds, the same ones each time.
#
# FUZZ_TARGETS="NAME..."  these alone      FUZZ_SEED=N   other changes
# FUZZ_RUNS=N             so many a target
set -u
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/fuzz/lib.sh"

out=$BUILD/log/findings
mkdir -p "$out"
seed=${FUZZ_SEED:-1}
t_is 'every target has a line in tests/fuzz/targets' \
	"$(cd "$TOP/tests/fuzz" && printf '%s\n' fuzz_*.c | sed 's/^fuzz_//; s/\.c$//' | sort)" \
	"$(fuzz_targets | awk '{ print $1 }' | sort)"
while read -r name runs globs; do
	[ -z "${FUZZ_TARGETS-}" ] || [[ " $FUZZ_TARGETS " == *" $name "* ]] || continue
	program=$BUILD/tests/fuzz/$name
	regress=$TOP/tests/fuzz/regress/$name
	old=("$regress"/*)
	if [ -e "${old[0]}" ]; then
		t_run 0 "$name: ${#old[@]} inputs that were findings" \
			"$program" -artifact_prefix="$out/$name-" "${old[@]}"
	fi
	# With a sanitizer a run takes several times as long.
	[ "$VARIANT" = release ] || runs=$((runs / 5))
	runs=${FUZZ_RUNS:-$runs}
	mkdir -p "$T_TMP/$name"
	read -ra globs <<<"$globs"
	start=$SECONDS
	# shellcheck disable=SC2086
	t_run 0 "$name: $runs changed inputs, seed $seed" "$program" -seed="$seed" -runs="$runs" \
		-artifact_prefix="$out/$name-" \
		-seed_inputs="$(cd "$TOP" && fuzz_seeds "$name" ${globs[@]+"${globs[@]}"})" "$T_TMP/$name"
	echo "      $((SECONDS - start)) s"
	input=$(sed -n 's/^fuzz: the input is //p' <<<"$T_OUT" | head -n 1)
	[ -z "$input" ] || printf '      again: %s %s\n' "$program" "$input"
done < <(fuzz_targets)
t_done
