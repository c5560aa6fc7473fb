# shellcheck shell=bash source=tests/bench/lib.sh
# select.sh - one workflow, four ways of running it, on a cluster that another user is on.
#
# 12 simulations of 5 s on CPUs, a training of 10 s on a GPU that needs them all, 4 runs of
# 4 s with the trained network on a GPU each: as `weft run`, as a hand-written chain of
# sbatch, as one het job, with Snakemake 7.  All run the same program (select/step.sh) and
# ask for the same, in turn in each of RUNS=5 rounds, while another user's jobs come and go:
# the same sequence, from the contender's start on, for each contender of a round, at the
# same point of the scheduler's clock (SEED=1 plus the round).  Figures are medians:
#   makespan      from the contender's command to the end of the last step's program; its
#                 ratio is the median of the rounds' own
#   core-seconds  of its jobs: allocated CPUs, times end minus start; GPU-seconds likewise
#   messages      to slurmctld by its user (sdiag), until its last job is gone
# SCALE=1 multiplies all times, ONLY="weft chain" names the contenders.
. "$(dirname "$0")/lib.sh"
RUNS=${RUNS:-5}
SEED=${SEED:-1}
SCALE=${SCALE:-1}
ONLY=${ONLY:-weft chain het snakemake}
CLUSTER=contrib/devcluster/devcluster
LEAD=11 # seconds that the other user is there before

if [ "$(id -u)" -ne 0 ]; then
	echo 'select: needs root for a private cluster'
	exit 0
fi
if [[ " $ONLY " = *' snakemake '* ]] && ! command -v snakemake >/dev/null &&
	! contrib/deps --bench >/dev/null 2>&1; then
	echo 'select: no snakemake here, and it could not be installed (contrib/deps --bench): not compared with'
	ONLY=${ONLY/snakemake/}
fi
dir=/var/tmp/weft-bench.$$
others=
trap '[ -z "$others" ] || kill "$others" 2>/dev/null; "$CLUSTER" down -q --dir "$dir"; bench_end' EXIT
"$CLUSTER" up -q --dir "$dir" --cpu-nodes 2 --gpu-nodes 2 --cpus-per-node 16 --build "$BUILD" \
	--boot contrib/devcluster/borrowed-topology || exit 1
home=$dir/home/alice here=$dir/select
cp -r tests/bench/select "$here"
chmod -R a+rX,a+x "$here"
as() { # USER COMMAND...
	local user=$1
	shift
	"$CLUSTER" sh --dir "$dir" --user "$user" -- "$@"
}
scaled() { awk -v s="$SCALE" -v t="$1" 'BEGIN { print s * t }'; }
times=(SIMULATE="$(scaled 5)" TRAIN="$(scaled 10)" HYBRID="$(scaled 4)")

messages() {
	as root sdiag | awk '$1 == "alice" { sub("count:", "", $4); n = $4 } END { print n + 0 }'
}
# until_gone USER: until it has no jobs any more, for 2 minutes at most
until_gone() {
	local end=$((SECONDS + 120))
	while [ -n "$(as root squeue --noheader --user="$1")" ]; do
		if ((SECONDS > end)); then
			echo "select: jobs of $1 are left over"
			return 1
		fi
		sleep 0.5
	done
}

# fresh_clock: slurmctld looks for jobs to start once a second, backfills every two, and
# its clock isn't ours: so it is started anew, and $clock says when.
fresh_clock() {
	local end=$((SECONDS + 60))
	as root scontrol shutdown slurmctld >/dev/null
	while as root scontrol ping | grep -q ' UP'; do sleep 0.1; done
	# It doesn't answer any more some time before it is gone, and until then it counts
	# as there.
	until as root scontrol ping | grep -q ' UP' &&
		[ "$(as root sinfo --noheader --format=%n --states=idle | wc -l)" -eq 4 ]; do
		if ((SECONDS > end)); then
			echo 'select: slurmctld did not come back'
			return 1
		fi
		"$CLUSTER" start-node ctl -q --dir "$dir" || return 1
		sleep 0.2
	done
	clock=$(date +%s.%N -d "$(sed -n 's/^\[\(.*\)\] Running as primary controller$/\1/p' \
		"$dir/log/slurmctld.log" | tail -n 1)")
}

# in_a_folder NAME SCRIPT: runs a contender as alice; its output is in NAME/said
in_a_folder() {
	local work=$home/$1
	mkdir "$work"
	chown --reference="$home" "$work"
	# shellcheck disable=SC2016 # they are the inner shell's
	as alice HERE="$here" BENCH_ENDS="$work/ends" "${times[@]}" bash -c \
		'cd "$0" || exit; echo "$EPOCHREALTIME" >begin; exec bash "$1" >said 2>error' "$work" "$2"
}

# contend ROUND NAME: a line of figures in $BENCH_TMP/NAME
contend() {
	local work=$home/$1-$2 before n end clock
	fresh_clock || return 1
	exec 3< <(exec "$CLUSTER" sh --dir "$dir" --user bob -- "$here/others.py" \
		"$((SEED + $1))" "$LEAD" 600 "$SCALE" "$clock")
	others=$!
	read -r _ <&3
	before=$(messages)
	in_a_folder "$1-$2" "$here/$2.sh" || echo "$2: exit status $?"
	until_gone alice || return 1
	n=$(($(messages) - before))
	kill "$others"
	exec 3<&-
	others=
	as root scancel --user=bob
	until_gone bob || return 1
	if [ "$(sort "$work/said" | tr '\n' ' ')" != '79 80 81 82 ' ] || [ "$(wc -l <"$work/ends")" -ne 17 ]; then
		echo "$2: did not do its work:"
		cat "$work/said" "$work/error"
		return 1
	fi
	end=$(sort -n "$work/ends" | tail -n 1)
	as root scontrol -d -o show job | python3 "$here/cost.py" alice "$(<"$work/begin")" "$dir/log/slurmctld.log" \
		>"$BENCH_TMP/cost" || return 1
	awk -v begin="$(<"$work/begin")" -v end="$end" -v n="$n" '{ print end - begin, $1, $2, n, $3 }' \
		"$BENCH_TMP/cost" | tee -a "$BENCH_TMP/$2" | sed "s/^/round $1 $2: /" >&2
}
# Alone on the cluster, for its messages only.
sweep() {
	local before n
	before=$(messages)
	as alice weft run -q "$here/sweep.yaml" || return
	until_gone alice || return
	n=$(($(messages) - before))
	as alice weft logs --stdout sweep train | grep -qx 200 || return
	awk -v n=$n 'BEGIN {
		printf "weft run of 200 members, fan-in and a GPU step: %d messages of 15%s\n", n, (n > 15 ? "   OVER" : "")
	}' >"$BENCH_TMP/sweep"
	((n <= 15)) || BENCH_BAD=1
}
# First, for a day's first run also asks a node of each partition whether it sees the folder.
sweep || exit 1
for ((round = 1; round <= RUNS; round++)); do
	for name in $ONLY; do contend "$round" "$name" || exit 1; done
done

# Rounds differ by what the other user does in them: weft's makespan to that of a contender
# in the same round, and of these the median.
pairs() { # NAME
	paste -d ' ' "$BENCH_TMP/weft" "$BENCH_TMP/$1" | awk '{ print $1 / $6 }' | sort -n |
		awk '{ v[NR] = $1 } END { printf "%s ", (v[int((NR + 1) / 2)] + v[int(NR / 2 + 1)]) / 2 }'
}
declare -A title=([weft]='weft run' [chain]='(a) sbatch chain' [het]='(b) one het job' [snakemake]='(c) Snakemake 7')
for name in $ONLY; do
	for k in 1 2 3 4 5; do
		awk -v k=$k '{ print $k }' "$BENCH_TMP/$name" | sort -n |
			awk '{ v[NR] = $1 } END { printf "%s ", (v[int((NR + 1) / 2)] + v[int(NR / 2 + 1)]) / 2 }'
	done | { cat; pairs "$name"; } | sed "s/^/$name	${title[$name]}	/; s/\$/\n/"
done | awk -F'\t' -v runs="$RUNS" '
	# x of weft to that of a contender, and whether it is over the bar
	function ratio(k, bar,   r, over) {
		if (name == "weft") return ""
		r = k == 1 ? v[6] : v[k] ? weft[k] / v[k] : 0
		over = bar && r > bar
		bad += over
		return sprintf("%.3f x%s", r, bar ? sprintf(" of %.2f%s", bar, over ? " OVER" : "") : "")
	}
	BEGIN { printf "%-18s %8s %-20s %8s %-20s %8s %-20s %8s %-20s %5s\n", "median of " runs, "makespan", "",
		"core-s", "", "GPU-s", "", "messages", "", "jobs" }
	{
		name = $1
		split($3, v, " ")
		if (name == "weft") split($3, weft, " ")
		printf "%-18s %6.1f s %-20s %8.1f %-20s %8.1f %-20s %8d %-20s %5d\n", $2, v[1], ratio(1, 1),
			v[2], ratio(2, name == "chain" ? 1.15 : 0), v[3], ratio(3, name == "chain" ? 1.05 : 0),
			v[4], ratio(4, 1), v[5]
	}
	END { exit bad > 0 }' || BENCH_BAD=1
cat "$BENCH_TMP/sweep"
bench_done
