# shellcheck shell=bash source=tests/bench/lib.sh
# srun.sh - what the plug-in costs an srun: enabled but unused, with --weft-step, and for a
# step of 64 tasks that are placed.
#
# One private cluster; a pair is one `srun true` with the plug-in's line in plugstack.conf
# and one without it (srun and slurmstepd read it anew each time), first and second in
# turn; the figure is the median of the pairs' ratios.  PAIRS=200 is their number.
. "$(dirname "$0")/lib.sh"
PAIRS=${PAIRS:-200}
CLUSTER=contrib/devcluster/devcluster

if [ "$(id -u)" -ne 0 ]; then
	echo 'srun: needs root for a private cluster'
	exit 0
fi
dir=/var/tmp/weft-bench.$$
trap '"$CLUSTER" down -q --dir "$dir"; bench_end' EXIT
"$CLUSTER" up -q --dir "$dir" --cpu-nodes 1 --gpu-nodes 0 --cpus-per-node 64 --build "$BUILD" || exit 1
printf 'name: b\nsteps:\n  - {name: train, run: "true", resources: {time: 5m}}\n' >"$dir/home/alice/b.yaml"
sed 's/time: 5m/&, ntasks: 64/' "$dir/home/alice/b.yaml" >"$dir/home/alice/b64.yaml"
# Runs on the login host, as root: it changes plugstack.conf between the two.
cat >"$dir/root/pairs" <<'END'
#!/bin/bash
conf=$1 pairs=$2 tasks=$3
shift 3
cp "$conf" "$conf.with"
: >"$conf.without"
once() { # with|without OPTIONS...: microseconds, in $T
	# The same pause before both: slurmd is still busy with the one before.
	cp "$conf.$1" "$conf"
	sleep 0.1
	shift
	local start=$EPOCHREALTIME
	srun --quiet --mem=500 --ntasks="$tasks" "$@" true || exit 1
	local end=$EPOCHREALTIME
	T=$((${end/./} - ${start/./}))
}
once with "$@" && once without
for ((i = 0; i < pairs; i++)); do
	if ((i % 2)); then
		once with "$@"; a=$T; once without; b=$T
	else
		once without; b=$T; once with "$@"; a=$T
	fi
	echo "$a $b"
done
cp "$conf.with" "$conf"
rm -f "$conf.with" "$conf.without"
END
chmod 755 "$dir/root/pairs"
# The topology as a boot would cache it.
"$CLUSTER" sh --dir "$dir" --user root --node c1 -- weft topo cache --dir=/run/weft >/dev/null || exit 1

pairs() { # NAME TASKS PAIRS BAR OPTIONS... of the srun with the plug-in
	local name=$1 tasks=$2 pairs=$3 bar=$4
	shift 4
	"$CLUSTER" sh --dir "$dir" --user root --chdir "$dir/home/alice" -- \
		"$dir/root/pairs" "$dir/plugstack.conf.d/weft.conf" "$pairs" "$tasks" "$@" \
		>"$BENCH_TMP/pairs" || exit 1
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
pairs 'srun true, plug-in unused' 1 "$PAIRS" 1.02
pairs 'srun true, --weft-step' 1 "$PAIRS" 1.3 --weft=b.yaml --weft-step=train
# Tasks of 64 that share this machine's few processors take a while: fewer pairs do.
pairs 'srun -n 64 true, --weft-bind=auto' 64 $((PAIRS / 2)) 1.05 --weft-bind=auto
pairs 'srun -n 64 true, --weft-step' 64 $((PAIRS / 2)) 1.05 --weft=b64.yaml --weft-step=train
bench_done
