#!/bin/sh
# reserve.sh - cores that are kept for the system are given to no task, whatever is asked.
. "$(dirname "$0")/../lib.sh"
G=$TOP/tests/golden/topo

# Of each request a line that says which, then its map.
"$WEFT" topo dump --xml "$G/dgx-a100.xml" >"$T_TMP/model"
for n in 1 3 8 13 64 96 128 300; do
	for gpus in '' '--gpus all'; do
		for more in '' '--balance even' '--policy spread' '--smt 1' '--spare-cores 3'; do
			echo "# $n $gpus $more"
			# shellcheck disable=SC2086
			"$WEFT" bind --topology "$T_TMP/model" --tasks $n $gpus $more \
				--reserve l3:1 --format map
		done
	done
done >"$T_TMP/maps"
# The machine has an L3 for 4 cores of 2 threads, 128 apart.
t_is 'the first core of each L3, in 80 requests' "$(python3 -c '
import re, sys
kept = set(range(0, 256, 4))
tasks, requests = 0, 0
for line in open(sys.argv[1]):
    if line.startswith("#"):
        request = line.strip()
        requests += 1
        continue
    tasks += 1
    for part in re.search(r"cpus=(\S+)", line)[1].split(","):
        a, _, b = part.partition("-")
        if kept & set(range(int(a), int(b or a) + 1)):
            print(request, line)
print(requests, tasks)' "$T_TMP/maps")" '80 6130'
t_is 'with --allowed' "$("$WEFT" bind --topology "$G/frontier.xml" --tasks 2 --allowed 0-15 --reserve l3:1 \
	--format map | sed 's/.*cpus=\([^ ]*\).*/\1/' | paste -sd' ')" '1-7 9-15'
t_is 'CPUs as they are named' "$("$WEFT" bind --topology "$G/frontier.xml" --tasks 1 --reserve 0,64,2-60,66-127 \
	--format map | sed 's/.*cpus=\([^ ]*\).*/\1/')" '1,61-63,65'
t_is 'idle cores are of those that are left' "$("$WEFT" bind --topology "$G/frontier.xml" --tasks 56 --smt 1 \
	--reserve l3:1 --score | tail -n 1)" '0 of 56 cores idle, 0 CPUs shared by tasks'
t_run 4 'all of it' "$WEFT" bind --topology "$G/frontier.xml" --tasks 1 --reserve l3:8
t_has 'is refused with the reason' "$T_OUT" 'but what is reserved for the system'
t_run 2 'no such thing' "$WEFT" bind --topology "$G/frontier.xml" --reserve l4:1
t_has 'is said' "$T_OUT" "--reserve: 'l4:1'"

# weft.conf, on this machine.
first=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
last=$(taskset -cp $$ | sed 's/.*[^0-9]\([0-9]*\)$/\1/')
if [ "$first" != "$last" ]; then
	printf 'cache = %s/none\nreserve = %s\n' "$T_TMP" "$first" >"$T_TMP/weft.conf"
	export WEFT_CONF="$T_TMP/weft.conf"
	T_OUT=$("$WEFT" bind -- sh -c 'grep Cpus_allowed_list /proc/self/status')
	case ",${T_OUT##*	}," in
	*",$first,"* | *",$first-"*) t_fail "weft.conf's reserve" "$T_OUT" ;;
	*) t_ok "weft.conf's reserve" ;;
	esac
	t_is 'unless the option says otherwise' "$("$WEFT" bind --reserve "$last" --format map --tasks 1 |
		sed 's/.*cpus=\([0-9]*\).*/\1/')" "$first"
	t_is 'or none' "$("$WEFT" bind --reserve none --format srun --tasks 1)" "$(WEFT_CONF=/dev/null "$WEFT" bind --format srun --tasks 1)"
else
	t_skip "weft.conf's reserve" 'one CPU only'
fi
t_done
