# shellcheck shell=bash source=tests/bench/lib.sh
# ensemble.sh - sweeps of very many members.  ONLY="rate messages agents resume size" names
# the parts:
#   rate    20,000 runs of /bin/true on the two nodes of a private cluster, as members and
#           as children of xargs, in turn within one allocation; then fewer of them as steps
#           of srun there, as jobs of sbatch, and as jobs of Snakemake 7.  Both nodes are
#           this one machine.  Rates are runs by seconds from the command to its end, of the
#           pairs with xargs the median of their ratios.  MEMBERS=20000, PAIRS=3, STEPS=200,
#           JOBS=200, RULES=30.
#   messages
#           to slurmctld by the user of a sweep of 200 members with what follows from it,
#           from its submission to its end, while nobody looks and with `weft run`.
#   agents  256 agents, and 1,000, whose members end at once, and how many ends the engine
#           takes in a second (tests/tools/agents.c).
#   resume  how soon it is known, after a kill in the middle, which members are left, and
#           how soon `weft resume` starts the first of them.
#   size    what planning and holding 1,000,000 members takes.
# Kills at random moments and jobs that end too soon take hours and minutes, and are
# `make check-kills check-walltime`.
. "$(dirname "$0")/lib.sh"
ONLY=${ONLY:-rate messages agents resume size}
TOP=$PWD
CLUSTER=$TOP/contrib/devcluster/devcluster
dir= # of the private cluster, while there is one
cd "$BENCH_TMP" || exit 2
unset WEFT_RUNS SLURM_JOB_ID


sweep() { # sweep NAME MEMBERS
	cat >"$1.yaml" <<E
name: $1
params: {x: {range: [1, $(($2 / 1000))]}, y: {range: [1, 1000]}}
steps:
  - {name: sim, sweep: [x, y], command: [/bin/true], resources: {time: 1m}, outputs: {o: {path: o, optional: true}}}
  - {name: post, sweep: [x, y], run: "true", inputs: [{from: sim.o, as: o, optional: true}], resources: {time: 1m}}
  - {name: all, depends: [sim.*], run: "true", resources: {time: 1m}}
E
}
cat >cluster.yaml <<'E'
max_array_size: 100001
partitions:
  - {name: cpu, nodes: "c[001-100]"}
nodes:
  - {nodes: "c[001-100]", state: idle, cpus: 64, cores: 64, mem: 256G}
E

# begin NAME: a run of it that is killed, engine and all, when the first member is done.
begin() {
	"$BUILD/weft" run --local -q "$1.yaml" >"$1.log" 2>&1 &
	local p=$! e end=$(($(date +%s) + 60))
	until grep -qs '"state":"done"' "weft-runs/$1/1/records/local.jsonl"; do
		[ "$(date +%s)" -lt $end ] || break
		sleep 0.05
	done
	e=$(pgrep -P $p)
	awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$e/status" >"$1.mib"
	kill -9 "$e" $p
	wait $p 2>/dev/null
}
# at_most NAME FIGURE LIMIT UNIT
at_most() {
	if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && a <= b)}'; then
		printf '%-44s %7s of %s %s\n' "$1" "$2" "$3" "$4"
	else
		printf '%-44s %7s of %s %s   OVER\n' "$1" "$2" "$3" "$4"
		BENCH_BAD=1
	fi
}

# at_least NAME FIGURE LIMIT UNIT BOTH-SIDES
at_least() {
	if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && a >= b)}'; then
		printf '%-44s %7s of %s %s   %s\n' "$1" "$2" "$3" "$4" "$5"
	else
		printf '%-44s %7s of %s %s   %s   MISSED\n' "$1" "$2" "$3" "$4" "$5"
		BENCH_BAD=1
	fi
}

# ---- the private cluster ---------------------------------------------------------------
# need_cluster WHAT: in $dir; 1: there can be none
need_cluster() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "ensemble: the $1 needs root for a private cluster"
		return 1
	fi
	[ -z "$dir" ] || return 0
	dir=/var/tmp/weft-bench.$$
	trap '[ -z "$dir" ] || "$CLUSTER" down -q --dir "$dir"; bench_end' EXIT
	"$CLUSTER" up -q --dir "$dir" --cpu-nodes 2 --gpu-nodes 1 --cpus-per-node 16 --build "$BUILD" || exit 1
	home=$dir/home/alice here=$dir/ensemble
	cp -r "$TOP/tests/bench/ensemble" "$here"
	chmod -R a+rX,a+x "$here"
}
cluster_over() {
	[ -z "$dir" ] || "$CLUSTER" down -q --dir "$dir"
	trap 'bench_end' EXIT
	dir=
}
as() { # USER COMMAND...
	local user=$1
	shift
	"$CLUSTER" sh --dir "$dir" --user "$user" -- "$@"
}
# until_gone SECONDS: until alice has no jobs any more
until_gone() {
	local end=$((SECONDS + $1))
	while [ -n "$(as root squeue --noheader --user=alice)" ]; do
		if ((SECONDS > end)); then
			echo "ensemble: alice's jobs are left over"
			return 1
		fi
		sleep 0.2
	done
}
folder() { # NAME: a new one of alice's
	mkdir "$home/$1"
	chown --reference="$home" "$home/$1"
}
since() { # EPOCHREALTIME: seconds
	local now=$EPOCHREALTIME
	awk -v t=$((${now/./} - ${1/./})) 'BEGIN { printf "%.3f", t / 1e6 }'
}
# ---- rate ------------------------------------------------------------------------------
median() { # of numbers, one a line
	sort -g | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2 + 1)]) / 2 }'
}

by_allocation() {
	folder rate
	cat >"$home/rate/rate.yaml" <<-E
		name: rate
		params: {x: {range: [1, $((MEMBERS / 1000))]}, y: {range: [1, 1000]}}
		steps:
		  - {name: sim, sweep: [x, y], command: [/bin/true], resources: {time: 1m, mem: 10M}}
	E
	as alice BENCH_HERE="$here" sbatch --quiet --chdir="$home/rate" --nodes=2 --ntasks-per-node=16 --time=60 \
		--mem=4G --output=said --error=wrong "$here/rate.sh" "$MEMBERS" "$PAIRS" "$STEPS" || return
	until_gone 1800 || return
	if [ -s "$home/rate/wrong" ]; then
		cat "$home/rate/wrong"
		return 1
	fi
}
by_sbatch() {
	local begin=$EPOCHREALTIME

	# shellcheck disable=SC2016 # they are the inner shell's
	as alice HERE="$here" sh -c 'seq "$0" | xargs -n 1 -P 4 sbatch --quiet --ntasks=1 --mem=10M --time=1 \
		--output=/dev/null --error=/dev/null "$HERE/true.sh"' "$JOBS" && until_gone 300 &&
		echo "sbatch $JOBS $(since "$begin")" >>"$home/rate/said"
}
by_snakemake() {
	local begin=$EPOCHREALTIME

	folder snakemake
	# shellcheck disable=SC2016 # they are the inner shell's
	as alice JOBS="$RULES" HERE="$here" sh -c 'cd "$0" && exec snakemake --quiet all --snakefile "$HERE/Snakefile" \
		--jobs "$JOBS" --max-jobs-per-second 100 --latency-wait 20 \
		--cluster "sbatch --parsable --ntasks=1 --mem=10M --time=5 --output=$0/%j.log"' "$home/snakemake" \
		>"$BENCH_TMP/snakemake.log" 2>&1 || {
		tail -n 20 "$BENCH_TMP/snakemake.log"
		return 1
	}
	echo "snakemake $RULES $(since "$begin")" >>"$home/rate/said"
}
# per_second NAME: the best that it came to
per_second() {
	awk -v name="$1" '$1 == name && $2 / $3 > r { r = $2 / $3 } END { if (r) printf "%.2f", r }' "$home/rate/said"
}
# against NAME TITLE BAR
against() {
	local mine theirs

	mine=$(awk '$1 == "weft" { print $2 / $3 }' "$home/rate/said" | median)
	theirs=$(per_second "$1")
	[ -n "$theirs" ] || return
	at_least "$MEMBERS members against $2" "$(awk -v a="$mine" -v b="$theirs" 'BEGIN { printf "%.1f", a / b }')" \
		"$3" x "$(printf '%.0f/s, it %s/s' "$mine" "$theirs")"
}
rate() {
	MEMBERS=${MEMBERS:-20000} PAIRS=${PAIRS:-3} STEPS=${STEPS:-200} JOBS=${JOBS:-200} RULES=${RULES:-30}
	need_cluster rate || return 0
	by_allocation && by_sbatch || return
	if command -v snakemake >/dev/null || (cd "$TOP" && contrib/deps --bench) >/dev/null 2>&1; then
		by_snakemake || return
	else
		echo 'ensemble: no snakemake here, and it could not be installed (contrib/deps --bench): not compared with'
	fi
	awk '$1 == "weft" || $1 == "xargs" { rate[$1, ++n[$1]] = $2 / $3; cpu[$1, n[$1]] = $4 / $2 * 1e6 }
		END {
			for (i = 1; i <= n["weft"] && i <= n["xargs"]; i++)
				print rate["weft", i] / rate["xargs", i], rate["weft", i], rate["xargs", i],
					cpu["xargs", i] / cpu["weft", i], cpu["weft", i], cpu["xargs", i]
		}' "$home/rate/said" >"$BENCH_TMP/pairs"
	at_least "$MEMBERS members against xargs -P $(awk '/^xargs-P/ { print $2 }' "$home/rate/said") on each node" \
		"$(median <"$BENCH_TMP/pairs" | awk '{ printf "%.2f", $1 }')" 0.7 x \
		"$(awk '{ printf "%s%.0f/s, it %.0f/s", (NR > 1 ? "; " : ""), $2, $3 }' "$BENCH_TMP/pairs")"
	printf '%-44s %7s x   %s\n' '    by CPU time, whoever else is here' \
		"$(awk '{ print $4 }' "$BENCH_TMP/pairs" | median | awk '{ printf "%.2f", $1 }')" \
		"$(awk '{ printf "%s%.0f us each, it %.0f us", (NR > 1 ? "; " : ""), $5, $6 }' "$BENCH_TMP/pairs")"
	against srun 'srun --exact' 15
	against sbatch sbatch 50
	against snakemake 'Snakemake --cluster sbatch' 500
}

# ---- messages --------------------------------------------------------------------------
heard() { # of alice, so far
	as root sdiag | awk '$1 == "alice" { sub("count:", "", $4); n = $4 } END { print n + 0 }'
}
messages() {
	local before n begin took watched

	need_cluster messages || return 0
	before=$(heard)
	as alice weft submit -q "$here/sweep.yaml" >/dev/null && until_gone 300 || return
	n=$(($(heard) - before))
	at_most '200 members, fan-in, a GPU step: messages' "$n" 15 "to slurmctld"
	before=$(heard) begin=$EPOCHREALTIME
	as alice weft run -q "$here/sweep.yaml" || return
	took=$(since "$begin")
	watched=$(($(heard) - before))
	at_most "    with weft run, 15 and 1 in 5 of $took s" "$watched" \
		"$(awk -v t="$took" 'BEGIN { print 15 + int(t / 5) }')" "to slurmctld"
	n=$(as alice weft logs --stdout sweep train)
	[ "$n" = 200 ] || {
		echo "ensemble: the sweep came to $n, not 200"
		return 1
	}
}

# ---- agents -------------------------------------------------------------------------
agents() {
	local n members seconds cpu

	for n in 256 1000; do
		# One of them needs a descriptor each.
		[ "$(ulimit -n)" -gt $((n + 100)) ] || ulimit -n $((n + 100)) || continue
		mkdir agents
		if ! read -r members seconds cpu < <("$BUILD/tests/agents" "$PWD/agents" 102400 $n 16); then
			echo "ensemble: the $n agents did not come to their end"
			BENCH_BAD=1
			return
		fi
		rm -rf agents
		at_least "$n agents at once: ends of members" \
			"$(awk -v n="$members" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')" \
			5000 /s "$members in $seconds s, of the engine's CPU $cpu s"
	done
}

# ---- size and resumption -------------------------------------------------------------
size() {
	sweep million 1000000
	bench "2 x 1,000,000 members: check" 3 5 300 "$BUILD/weft" check million.yaml
	bench "2 x 1,000,000 members: plan" 3 5 300 "$BUILD/weft" plan --cluster cluster.yaml million.yaml
	begin million
	at_most "2 x 1,000,000 members: the engine that runs them" "$(cat million.mib)" 300 MiB
}

# first_after RUN: seconds from `weft resume` to the start of its first member
first_after() {
	local begin=$EPOCHREALTIME end=$((SECONDS + 60)) p e first=

	"$BUILD/weft" resume -q "$1" >/dev/null 2>&1 &
	p=$!
	while [ -z "$first" ] && [ $SECONDS -lt $end ] && kill -0 $p 2>/dev/null; do
		sleep 0.05
		first=$(tail -qc 4096 "$1"/records/*.jsonl | grep -o '"started":[0-9.]*' | cut -d: -f2 |
			awk -v t="$begin" '$1 >= t && (!f || $1 < f) { f = $1 } END { if (f) printf "%.3f", f - t }')
	done
	e=$(pgrep -P $p)
	# shellcheck disable=SC2086 # both
	kill -9 $e $p 2>/dev/null
	wait $p 2>/dev/null
	echo "$first"
}

# 100,000 and 1,000,000 members, half of them done when it was killed, the writer in the
# middle of a line.
resume() {
	local n limit left seconds

	for n in 100000 1000000; do
		sweep "kill$n" $n
		[ $n = 100000 ] && limit=5 || limit=30
		begin kill$n
		"$BUILD/tests/records" fill weft-runs/kill$n/1 $((n / 2)) || BENCH_BAD=1
		read -r left seconds < <("$BUILD/tests/records" left weft-runs/kill$n/1)
		at_most "of 2 x $n members, $left left: known" "$seconds" $limit "s"
		[ $n = 100000 ] || continue
		# shellcheck disable=SC2016 # they are the inner shell's
		bench "of 2 x $n members: status" 3 10 300 sh -c '"$0" status "$1" || [ $? -eq 1 ]' "$BUILD/weft" weft-runs/kill$n/1
		bench "of 2 x $n members: resume --dry-run" 3 5 300 "$BUILD/weft" resume -n -q weft-runs/kill$n/1
		at_most "of 2 x $n members: resume, its first one starts" "$(first_after weft-runs/kill$n/1)" 5 "s"
	done
}

for part in $ONLY; do
	case $part in
	rate) rate || BENCH_BAD=1 ;;
	messages) messages || BENCH_BAD=1 ;;
	agents) agents ;;
	resume) resume ;;
	size) size ;;
	*)
		echo "ensemble: no part '$part'"
		exit 2
		;;
	esac
done
cluster_over
bench_done
