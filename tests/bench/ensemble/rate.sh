#!/bin/bash
# rate.sh MEMBERS PAIRS STEPS - in an allocation of two nodes: so many runs of /bin/true
# as members of weft's and as children of xargs, in turn, and some of them as steps of
# srun.  Prints "NAME PROCESSES SECONDS CPU-SECONDS" lines; the CPU time is that of the
# command and of its tasks on the nodes, with all their children.
set -u
here=$(dirname "$(readlink -f "$BENCH_HERE/rate.sh")")
members=$1 pairs=$2 steps=$3
export BENCH_TIMES=$PWD/times

timed() { # NAME PROCESSES COMMAND...
	local name=$1 n=$2 begin=$EPOCHREALTIME end
	shift 2
	: >"$BENCH_TIMES"
	(
		"$@" >"$name.out" 2>&1
		r=$?
		times >>"$BENCH_TIMES"
		exit $r
	) || {
		echo "rate: $name: exit status $?" >&2
		tail -n 5 "$name.out" >&2
		return 1
	}
	end=$EPOCHREALTIME
	# Lines of minutes and seconds, "1m2.345s 0m1.000s".
	tr 'ms' '  ' <"$BENCH_TIMES" | awk -v name="$name" -v n="$n" -v us=$((${end/./} - ${begin/./})) '
		{ cpu += 60 * ($1 + $3) + $2 + $4 }
		END { printf "%s %d %.3f %.3f\n", name, n, us / 1e6, cpu }'
}
# One xargs on each node, with half of them.
by_xargs() { # AT_ONCE PROCESSES
	# shellcheck disable=SC2016 # they are the inner shell's
	PATH=$here/bin:$PATH srun --overlap --ntasks=2 --ntasks-per-node=1 --mem=0 --cpu-bind=none --mpi=none \
		sh -c 'seq "$0" | exec xargs -n 1 -P "$1" /bin/true' $(($2 / 2)) "$1"
}
by_weft() {
	PATH=$here/bin:$PATH BENCH_FILE=$PWD/rate.yaml weft script rate.yaml
}
by_srun() { # AT_ONCE STEPS
	seq "$2" | xargs -n 1 -P "$1" sh -c \
		'exec srun --exact --nodes=1 --ntasks=1 --cpus-per-task=1 --mem=10M --mpi=none /bin/true'
}

# How many at once are best, of each.
for p in 1 2 4 8; do
	timed "try-xargs $p" $((members / 10)) by_xargs $p $((members / 10)) || exit
done >try
cat try
best=$(sort -k 4 -g try | awk 'NR == 1 { print $2 }')
echo "xargs-P $best 0"
for ((i = 0; i < pairs; i++)); do
	if ((i % 2)); then
		timed xargs "$members" by_xargs "$best" "$members" && timed weft "$members" by_weft
	else
		timed weft "$members" by_weft && timed xargs "$members" by_xargs "$best" "$members"
	fi || exit
	done=$(grep -c '"state":"done"' < <(cat weft-runs/rate/$((i + 1))/records/*.agents/*.jsonl))
	[ "$done" -eq "$members" ] || {
		echo "rate: $done of $members members are recorded as done" >&2
		exit 1
	}
done
for p in 4 16; do
	timed "srun" "$steps" by_srun $p "$steps" || exit
done
