# shellcheck shell=bash source=tests/bench/lib.sh
# submit.sh - what the controller's half costs slurmctld: jobs that are none of weft's,
# and jobs that it sizes.
#
# One private cluster; a pair is N held jobs with JobSubmitPlugins=weft and N without it
# (scontrol reconfigure loads and unloads it), first and second in turn; the figure is
# the median of the pairs' ratios of the median submission. PAIRS=60, N=60.
. "$(dirname "$0")/lib.sh"
PAIRS=${PAIRS:-100}
N=${N:-40}
CLUSTER=contrib/devcluster/devcluster

if [ "$(id -u)" -ne 0 ]; then
	echo 'submit: needs root for a private cluster'
	exit 0
fi
dir=/var/tmp/weft-bench.$$
trap '"$CLUSTER" down -q --dir "$dir"; bench_end' EXIT
"$CLUSTER" up -q --dir "$dir" --cpu-nodes 2 --gpu-nodes 0 --build "$BUILD" --hook job_submit || exit 1
install -m 755 "$BUILD/tests/submit_rate" "$dir/bin/submit_rate"
# So that those of one pair are gone before long.
sed -i 's/^MinJobAge=.*/MinJobAge=2/' "$dir/etc/slurm.conf"
# Runs on the login host, as root: it changes slurm.conf between the two.
cat >"$dir/root/pairs" <<'END'
#!/bin/bash
conf=$1 pairs=$2 n=$3 with=$4 without=$5
cp "$conf" "$conf.with"
grep -v '^JobSubmitPlugins' "$conf.with" >"$conf.without"
once() { # with|without: microseconds, in $T
	cp "$conf.$1" "$conf"
	# The same before both: also where nothing has changed.
	scontrol reconfigure || exit 1
	sleep 0.1
	T=$(submit_rate "$n" ${2:+"$2"}) || exit 1
}
for ((i = 0; i < pairs; i++)); do
	if ((i % 2)); then
		once with "$with"; a=$T; once without "$without"; b=$T
	else
		once without "$without"; b=$T; once with "$with"; a=$T
	fi
	echo "$a $b"
done
cp "$conf.with" "$conf"
rm -f "$conf.with" "$conf.without"
END
chmod 755 "$dir/root/pairs"

pairs() { # NAME WITH WITHOUT: what submit_rate sends
	local name=$1 bar=1.03
	"$CLUSTER" sh --dir "$dir" --user root -- \
		"$dir/root/pairs" "$dir/etc/slurm.conf" "$PAIRS" "$N" "$2" "$3" >"$BENCH_TMP/pairs" || exit 1
	awk 'NF == 2 { print $1 / $2, $1, $2 }' "$BENCH_TMP/pairs" | sort -n | awk -v name="$name" -v bar="$bar" '
		{ r[NR] = $1; a[NR] = $2; b[NR] = $3 }
		END {
			if (!NR) exit 1
			m = r[int((NR + 1) / 2)]
			sort_(a, NR); sort_(b, NR)
			printf "%-44s %.3f x of %.2f x   median %.2f ms, without %.2f ms, %d pairs%s\n", name, m, bar,
				a[int((NR + 1) / 2)] / 1000, b[int((NR + 1) / 2)] / 1000, NR, (m > bar ? "   OVER" : "")
			exit (m > bar)
		}
		function sort_(v, n, i, j, t) {
			for (i = 2; i <= n; i++) {
				t = v[i]
				for (j = i - 1; j > 0 && v[j] > t; j--) v[j + 1] = v[j]
				v[j + 1] = t
			}
		}' || BENCH_BAD=1
}
pairs "a job submitted, none of weft's" '' ''
pairs 'a job submitted, sized by its step' \
	'weft-request-1 step=train role=training partition=cpu nodes=1 ntasks=4 ntasks_per_node=4 cpus_per_task=2 mem=1024 time=60' typed
grep -q "job_submit: policy of" "$dir/log/slurmctld.log" || { echo 'submit: the plug-in was never loaded'; BENCH_BAD=1; }
bench_done
