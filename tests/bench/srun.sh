# srun.sh - what the plug-in costs an srun: enabled but unused, and with --weft-step.
#
# Two private clusters, alike but for the plug-in; a pair is one `srun true` on each,
# first and second in turn; the figure is the median of the pairs' ratios.
# PAIRS=200 is the number of pairs: fewer can't tell 2 % on a machine that does other
# things (two clusters without the plug-in differ by 3 % over 60 pairs).
. "$(dirname "$0")/lib.sh"
PAIRS=${PAIRS:-200}
CLUSTER=contrib/devcluster/devcluster

if [ "$(id -u)" -ne 0 ]; then
	echo 'srun: needs root for a private cluster'
	exit 0
fi
dirs=()
trap 'for d in "${dirs[@]}"; do "$CLUSTER" down -q --dir "$d"; done; rm -rf "$BENCH_TMP"' EXIT
for kind in with without; do
	d=/var/tmp/weft-bench-$kind.$$
	dirs+=("$d")
	"$CLUSTER" up -q --dir "$d" --cpu-nodes 1 --gpu-nodes 0 --cpus-per-node 2 --build "$BUILD" || exit 1
	# Prolog and Epilog stay in both: they are no part of the plug-in.
	[ $kind = with ] || : >"$d/plugstack.conf.d/weft.conf"
	cat >"$d/home/alice/once" <<-'END'
		#!/bin/bash
		start=$EPOCHREALTIME
		srun "$@" true || exit 1
		end=$EPOCHREALTIME
		echo $((${end/./} - ${start/./}))
	END
	printf 'name: b\nsteps:\n  - {name: train, run: "true", resources: {time: 5m}}\n' >"$d/home/alice/b.yaml"
	chmod 755 "$d/home/alice/once"
	chmod 644 "$d/home/alice/b.yaml"
done
# The topology as a boot would cache it.
"$CLUSTER" sh --dir "${dirs[0]}" --user root --node c1 -- weft topo cache --dir=/run/weft >/dev/null || exit 1

once() { # with|without OPTIONS...: microseconds
	local d=${dirs[0]}
	[ "$1" = with ] || d=${dirs[1]}
	shift
	"$CLUSTER" sh --dir "$d" -- ./once "$@"
}
pairs() { # NAME BAR OPTIONS... of the srun with the plug-in
	local name=$1 bar=$2 i a b
	shift 2
	once with "$@" >/dev/null && once without >/dev/null || exit 1
	for ((i = 0; i < PAIRS; i++)); do
		if ((i % 2)); then
			a=$(once with "$@") b=$(once without)
		else
			b=$(once without) a=$(once with "$@")
		fi
		echo "$a $b"
	done >"$BENCH_TMP/pairs" 2>"$BENCH_TMP/said"
	awk 'NF == 2 { print $1 / $2, $1, $2 }' "$BENCH_TMP/pairs" | sort -n | awk -v name="$name" -v bar="$bar" '
		{ r[NR] = $1; a[NR] = $2; b[NR] = $3 }
		END {
			m = r[int((NR + 1) / 2)]
			n = asort_(a, NR); asort_(b, NR)
			printf "%-44s %.3f x of %.2f x   median %.1f ms, without %.1f ms, %d pairs%s\n", name, m, bar,
				a[int((NR + 1) / 2)] / 1000, b[int((NR + 1) / 2)] / 1000, NR, (m > bar ? "   OVER" : "")
			exit (m > bar)
		}
		function asort_(v, n, i, j, t) {
			for (i = 2; i <= n; i++) {
				t = v[i]
				for (j = i - 1; j > 0 && v[j] > t; j--) v[j + 1] = v[j]
				v[j + 1] = t
			}
			return n
		}' || BENCH_BAD=1
}
pairs 'srun true, plug-in unused' 1.02
pairs 'srun true, --weft-step' 1.3 --weft=b.yaml --weft-step=train
bench_done
