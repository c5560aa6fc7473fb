# shellcheck shell=bash source=tests/bench/lib.sh
# bcast.sh - weft stage bcast to nodes whose links are shaped, beside a single link, a
# star and sbcast.
#
# Each node is a network namespace with a veth pair to a bridge, RATE=300mbit each way
# (tc tbf), and a tmpfs of its own.  What weft is compared with reads, sends and writes
# plainly, without hashes or MACs:
#   link   one sender, one receiver, one TCP stream
#   star   one sender, a stream to each of the receivers at the same time
#   chain  one sender, each receiver passes on what it gets: to MANY nodes it says what
#          the machine's cores can do at most, for all the nodes share them
#   sbcast real Slurm's, on the development cluster with its nodes shaped the same, at
#          the fan-out that is best there
# A figure is the median of RUNS=3; the machine's cores are all the nodes' together, so
# let nothing else run.  Where MANY nodes are too much for them at RATE, the pair at
# SLOW=75mbit, with half of the data, says what the chain itself costs.
#   BCAST_MIB=256  BCAST_NODES=8  BCAST_MANY=32
#   BCAST_ONLY='link star weft kill chain many slow sbcast'
. "$(dirname "$0")/lib.sh"
RUNS=${RUNS:-3} MIB=${BCAST_MIB:-256} NODES=${BCAST_NODES:-8} MANY=${BCAST_MANY:-32} RATE=${RATE:-300mbit}
WEFT=$BUILD/weft
TAG=wb$$

if [ "$(id -u)" -ne 0 ] || ! unshare --mount --net true 2>/dev/null; then
	echo 'bcast: needs network namespaces of its own (root)'
	exit 0
fi
memory=$(mktemp -d /dev/shm/weft-bench.XXXXXX) || exit 0
cluster=
# shellcheck disable=SC2317
leave() {
	[ -z "$cluster" ] || contrib/devcluster/devcluster down --dir "$cluster" >/dev/null 2>&1
	for ns in $(ip netns list | awk -v t="$TAG-" 'index($1, t) == 1 { print $1 }'); do
		ip netns pids "$ns" | xargs -r kill -9 2>/dev/null
		ip netns del "$ns"
	done
	ip link del "$TAG" 2>/dev/null
	rm -rf "$memory" ${cluster:+"$cluster"}
	bench_end
}
trap leave EXIT
bench_keep_memory "$memory"

# ---- nodes ------------------------------------------------------------------------
# A bucket that holds a whole segment of the sender's, so that they are not cut up.
shape() { tc qdisc replace dev "$1" root tbf rate "$RATE" burst 128kb latency 20ms; }
add_node() { # NAME NUMBER
	local ns=$TAG-$1 veth=$TAG.$2
	ip netns add "$ns"
	ip link add "$veth" type veth peer name eth0 netns "$ns"
	ip link set "$veth" master "$TAG" up
	shape "$veth"
	ip -n "$ns" addr add "10.247.$(($2 / 250)).$(($2 % 250 + 1))/16" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" tc qdisc replace dev eth0 root tbf rate "$RATE" burst 128kb latency 20ms
	mkdir -p "$memory/$1"
}
ip link add "$TAG" type bridge || exit 1
ip link set "$TAG" up
add_node src 0
for i in $(seq "$MANY"); do add_node "n$i" "$i"; done
mkdir "$memory/dst"
cat >"$BENCH_TMP/node" <<EOF
#!/bin/sh
host=\$1
shift
echo \$\$ >"$BENCH_TMP/\$host.pid"
exec nsenter --net=/run/netns/$TAG-\$host unshare --mount sh -c 'mount --bind "$memory/\$0" "$memory/dst" && exec "\$@"' \$host "\$@"
EOF
chmod +x "$BENCH_TMP/node"
head -c "${MIB}M" /dev/urandom >"$memory/src/data"
clear_nodes() { find "$memory" -mindepth 2 -maxdepth 2 -path '*/n[0-9]*/*' -delete; }
at() { nsenter --net=/run/netns/"$TAG-$1" "${@:2}"; }
address() { echo "10.247.$(($1 / 250)).$(($1 % 250 + 1))"; }

# ---- the peers ---------------------------------------------------------------------
cat >"$BENCH_TMP/plain.py" <<'EOF'
"""plain.py send FILE HOST... | receive FILE [NEXT]: one TCP stream each, as fast as they
go; a receiver with a NEXT passes on to it what it got.  As few system calls as can be."""
import os, socket, sys, threading
if sys.argv[1] == 'receive':
    s = socket.create_server(('', 7007), reuse_port=True)
    print(flush=True)
    c, _ = s.accept()
    on = socket.create_connection((sys.argv[3], 7007)) if sys.argv[3:] else None
    buf = bytearray(1 << 18)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(buf))
    with open(sys.argv[2], 'wb', 0) as f:
        while n := c.recv_into(buf):
            if on:
                on.sendall(memoryview(buf)[:n])
            f.write(memoryview(buf)[:n])
    if on:
        on.shutdown(socket.SHUT_WR)
        assert on.recv(1) == b'.'
    c.sendall(b'.')
else:
    def send(host):
        with socket.create_connection((host, 7007)) as c, open(sys.argv[2], 'rb') as f:
            c.sendfile(f)
            c.shutdown(socket.SHUT_WR)
            assert c.recv(1) == b'.'
    t = [threading.Thread(target=send, args=(h,)) for h in sys.argv[3:]]
    [x.start() for x in t]
    [x.join() for x in t]
EOF
plain() { # N [chain]: to that many nodes at once, or from one to the next
	local hosts=() next=() i fifo=$BENCH_TMP/up
	rm -f "$fifo"
	mkfifo "$fifo"
	exec 9<>"$fifo"
	for i in $(seq "$1"); do
		next=()
		[ -z "${2-}" ] || [ "$i" -eq "$1" ] || next=("$(address $((i + 1)))")
		at "n$i" python3 "$BENCH_TMP/plain.py" receive "$memory/n$i/data" "${next[@]}" >&9 &
		[ -n "${2-}" ] && [ "$i" -gt 1 ] || hosts+=("$(address "$i")")
	done
	for i in $(seq "$1"); do read -r -u 9 _; done
	start=$EPOCHREALTIME
	at src python3 "$BENCH_TMP/plain.py" send "$memory/src/data" "${hosts[@]}"
	took
	wait
}
took() { T=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'); }
weft_to() { # N [OPTION...]
	local n=$1
	shift
	start=$EPOCHREALTIME
	at src "$WEFT" stage bcast --json --durable none --hosts "n[1-$n]" --launcher "$BENCH_TMP/node" \
		--address 10.247.0.1 "$@" "$memory/src/data" "$memory/dst/data" >"$BENCH_TMP/json" 2>"$BENCH_TMP/err"
	status=$?
	took
}
check_weft() { # N WANTED_STATUS
	if [ "$status" -ne "$2" ]; then
		echo "bcast: exit status $status, not $2"
		head -n 5 "$BENCH_TMP/err"
		BENCH_BAD=1
	fi
	local i
	for i in $(seq "$1"); do
		[ "$2" -ne 0 ] || [ -f "$memory/n$i/data" ] || { echo "bcast: n$i lacks it"; BENCH_BAD=1; }
	done
	cmp -s "$memory/src/data" "$memory/n$1/data" || { echo "bcast: n$1 has something else"; BENCH_BAD=1; }
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
wanted() { [ -z "${BCAST_ONLY-}" ] || [[ " $BCAST_ONLY " == *" $1 "* ]]; }
of() { # NAME NODES COMMAND...: the median of T, into M
	local i all=
	for i in $(seq "$RUNS"); do
		clear_nodes
		bench_warm_memory "$memory" "$((MIB * $2))"
		"${@:3}"
		all+="$T"$'\n'
	done
	M=$(median <<<"${all%$'\n'}")
	printf '%-40s %7.2f s   %6.1f MB/s a node   (%s)\n' "$1" "$M" \
		"$(awk -v m="$MIB" -v t="$M" 'BEGIN { print m * 1048576 / t / 1e6 }')" "$(tr '\n' ' ' <<<"${all%$'\n'}")"
}
compare() { # WHAT RATIO at-least|at-most BAR
	awk -v what="$1" -v r="$2" -v how="$3" -v bar="$4" 'BEGIN {
		bad = how == "at-least" ? r < bar : r > bar
		printf "  %-52s %6.3f   bar: %s %g%s\n", what, r, how, bar, bad ? "   MISSED" : ""
		exit bad
	}' || BENCH_BAD=1
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }

run_weft() {
	weft_to "$1"
	check_weft "$1" 0
}
# A relay in the middle of the chain dies half-way.
run_kill() {
	local victim=n$((NODES / 2))
	rm -f "$BENCH_TMP/$victim.pid"
	(
		sleep "$(awk -v t="$weft" 'BEGIN { print t / 2 }')"
		kill -9 "$(cat "$BENCH_TMP/$victim.pid")"
	) &
	weft_to "$NODES"
	wait
	check_weft "$NODES" 5
	grep -q "\"failed\": *1\b" "$BENCH_TMP/json" || { echo 'bcast: not just the one that was killed failed'; BENCH_BAD=1; }
}
link='' star='' weft=''
echo "bcast: $MIB MiB, links of $RATE each way, $NODES nodes"
if wanted link; then of 'a single link, plain' 1 plain 1 && link=$M; fi
if wanted weft || wanted kill || wanted many; then of "weft stage bcast, $NODES nodes" "$NODES" run_weft "$NODES" && weft=$M; fi
if wanted star; then RUNS=1 of "a star, plain, $NODES nodes" "$NODES" plain "$NODES" && star=$M; fi
[ -z "$link" ] || [ -z "$weft" ] || compare "goodput by a single link's" "$(ratio "$link" "$weft")" at-least 0.95
[ -z "$star" ] || [ -z "$weft" ] || compare "the star's time by ours" "$(ratio "$star" "$weft")" at-least 7
if wanted kill; then
	of "weft, one relay killed midway" "$NODES" run_kill
	compare "its time by that without" "$(ratio "$M" "$weft")" at-most 1.3
fi
if wanted many; then
	of "weft stage bcast, $MANY nodes" "$MANY" run_weft "$MANY"
	compare "its time by that of $NODES" "$(ratio "$M" "$weft")" at-most 1.15
fi
if wanted chain; then
	of "a plain chain, no hashes, $NODES nodes" "$NODES" plain "$NODES" chain
	few=$M
	of "a plain chain, no hashes, $MANY nodes" "$MANY" plain "$MANY" chain
	awk -v r="$(ratio "$M" "$few")" -v n="$NODES" 'BEGIN {
		printf "  %-52s %6.3f   (what these cores can do)\n", "its time by that of " n, r
	}'
fi
# Real sbcast, in an allocation of the development cluster; weft in the same one.
sbcast() {
	cluster=$(mktemp -d /var/tmp/weft-bench.XXXXXX)
	local node fan best='' best_fan='' ours r
	if ! contrib/devcluster/devcluster up -q --dir "$cluster" --build "$BUILD" --cpu-nodes "$NODES" --gpu-nodes 0; then
		echo 'bcast: no development cluster here'
		return
	fi
	for node in login $(seq -f 'c%.0f' "$NODES"); do
		contrib/devcluster/devcluster link -q --dir "$cluster" "$node" "$RATE" >/dev/null || return
	done
	cp "$memory/src/data" "$cluster/home/alice/data"
	cat >"$cluster/home/alice/job" <<'EOF'
timed() {
	local start=$EPOCHREALTIME
	"$@" >/dev/null || { echo "failed: $*"; exit 1; }
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}
for fan in 1 2 4 8; do echo "sbcast $fan $(timed sbcast -f --fanout=$fan data /scratch/data)"; done
for run in 1 2 3; do echo "weft $run $(timed weft stage bcast --replace --durable none data /scratch/ours)"; done
EOF
	r=$(contrib/devcluster/devcluster sh --dir "$cluster" --user alice -- \
		timeout 900 salloc -Q -N "$NODES" -n "$NODES" bash job 2>&1)
	while read -r what fan t; do
		case $what in
		sbcast)
			printf '%-40s %7.2f s\n' "sbcast --fanout=$fan, $NODES nodes" "$t"
			if [ -z "$best" ] || awk -v a="$t" -v b="$best" 'BEGIN { exit !(a < b) }'; then best=$t best_fan=$fan; fi
			;;
		weft) ours+="$t"$'\n' ;;
		*) echo "$what $fan $t" ;;
		esac
	done <<<"$r"
	contrib/devcluster/devcluster down -q --dir "$cluster"
	rm -rf "$cluster"
	cluster=
	[ -n "$best" ] && [ -n "$ours" ] || { BENCH_BAD=1; return; }
	M=$(median <<<"${ours%$'\n'}")
	printf '%-40s %7.2f s   (%s)\n' "weft stage bcast in the same job" "$M" "$(tr '\n' ' ' <<<"${ours%$'\n'}")"
	compare "sbcast's time at --fanout=$best_fan by ours" "$(ratio "$best" "$M")" at-least 3.5
}
if wanted sbcast; then sbcast; fi
if wanted slow; then
	RATE=${SLOW:-75mbit} MIB=$((MIB / 2))
	head -c "${MIB}M" /dev/urandom >"$memory/src/data"
	for i in $(seq 0 "$MANY"); do
		shape "$TAG.$i"
		ip netns exec "$TAG-$([ "$i" -eq 0 ] && echo src || echo "n$i")" \
			tc qdisc replace dev eth0 root tbf rate "$RATE" burst 128kb latency 20ms
	done
	of "weft, $MIB MiB at $RATE, $NODES nodes" "$NODES" run_weft "$NODES"
	few=$M
	of "weft, $MIB MiB at $RATE, $MANY nodes" "$MANY" run_weft "$MANY"
	compare "its time by that of $NODES, on links of $RATE" "$(ratio "$M" "$few")" at-most 1.15
fi
bench_done
