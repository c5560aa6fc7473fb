# plan.sh - weft plan of up to 200,000 steps on a cluster of 10,000 nodes in use.
. "$(dirname "$0")/lib.sh"

# Three quarters of the nodes run jobs of 1 to 32 nodes, no two of which end alike.
awk 'function roll(n) { seed = (seed * 16807) % 2147483647; return seed % n }
function use(letter, digits, last, cpus, mem, extra, type,   i, k, end, soon, used, gpus) {
	for (i = 1; i <= last; i += k) {
		k = 2 ^ roll(6)
		if (k > last - i + 1)
			k = last - i + 1
		printf "  - nodes: \"%s[%0*d-%0*d]\"\n    cpus: %d\n    cores: %d\n    mem: %dM\n%s", letter, digits, i, digits, i + k - 1, cpus, cpus, mem, extra
		if (roll(4) == 0)
			continue
		used = cpus / 2 ^ roll(3)
		soon = 1 + roll(2880)
		end = soon + 1 + roll(600)
		gpus = type == "" ? "" : sprintf(", gpus: {%s: 1}", type)
		printf "    state: mixed\n    cpus_used: %d\n    mem_used: %dM\n", used, mem / 2
		if (type != "")
			printf "    gpus_used: {%s: 2}\n", type
		printf "    releases:\n      - {after: %dm, cpus: %d, mem: %dM%s}\n", soon, used / 2, mem / 4, gpus
		printf "      - {after: %dm, cpus: %d, mem: %dM%s}\n", end, used - int(used / 2), mem / 2 - mem / 4, gpus
	}
}
BEGIN {
	seed = 1
	print "cluster: large\nmax_array_size: 100001\npartitions:"
	print "  - {name: cpu, default: true, max_time: 2d, default_time: 1h, nodes: \"c[0001-7000]\"}"
	print "  - {name: big, max_time: 7d, nodes: \"b[001-500]\"}"
	print "  - {name: gpu, max_time: 1d, default_time: 1h, nodes: \"g[0001-2000]\"}"
	print "  - {name: old, max_time: 1d, nodes: \"v[001-500]\"}"
	print "  - {name: all, max_time: 1h, nodes: \"c[0001-7000],b[001-500],g[0001-2000],v[001-500]\"}"
	print "nodes:"
	use("c", 4, 7000, 64, 256000, "    features: [milan, ib]\n", "")
	use("b", 3, 500, 64, 4096000, "", "")
	use("g", 4, 2000, 64, 512000, "    gpus: {a100: 4}\n", "a100")
	use("v", 3, 500, 40, 192000, "    gpus: {v100: 2}\n", "v100")
}' >"$BENCH_TMP/cluster.yaml"

# Layers of 100 steps, each of which needs one of the layer before; all like one of 16
# ($2 = 0), or each with a size or time of its own.
steps() {
	awk -v n="$1" -v own="$2" 'BEGIN {
		print "name: large\nsteps:"
		for (i = 0; i < n; i++) {
			printf "- {name: s%d, run: w", i
			if (i >= 100)
				printf ", depends: [s%d]", i - 100
			k = own ? i : i % 16
			if (i % 4 == 0)
				printf ", resources: {gpus: %d, time: %ds}}\n", 1 + k % 16, 600 + int(k / 16) % 80000
			else
				printf ", resources: {ntasks: %d, time: %ds}}\n", 1 + k % 500, 600 + int(k / 4) % 80000
		}
	}'
}
steps 10000 0 >"$BENCH_TMP/alike.yaml"
steps 10000 1 >"$BENCH_TMP/own.yaml"
steps 100000 1 >"$BENCH_TMP/many.yaml"
steps 200000 1 >"$BENCH_TMP/twice.yaml"
cat >"$BENCH_TMP/one.yaml" <<'END'
name: one
steps:
  - {name: a, run: "true"}
END
plan() { # NAME SECONDS MIB ARG...
	bench "$1" 3 "$2" "$3" "$BUILD/weft" plan --cluster "$BENCH_TMP/cluster.yaml" "${@:4}"
}
plan "plan: 1 step, 10,000 nodes" 1 500 "$BENCH_TMP/one.yaml"
plan "plan: 10,000 steps, 10,000 nodes" 1 500 "$BENCH_TMP/alike.yaml"
plan "plan: the same, no two requests alike" 1 500 "$BENCH_TMP/own.yaml"
plan "plan: 100,000 steps, no two alike" 2 1024 "$BENCH_TMP/many.yaml"
plan "plan: 200,000 steps" 4.6 2048 "$BENCH_TMP/twice.yaml"
plan "plan: 100,000 steps, --json" 3 1024 --json "$BENCH_TMP/many.yaml"

# Twice the steps in at most 2.3 times the time: of the processor, which other work on
# this machine makes less uneven than that of the clock.
cpu() {
	"$BUILD/tests/measure" 3 "$BUILD/weft" plan --cluster "$BENCH_TMP/cluster.yaml" "$1" |
		awk '{ print $2 }'
}
awk -v one="$(cpu "$BENCH_TMP/many.yaml")" -v two="$(cpu "$BENCH_TMP/twice.yaml")" 'BEGIN {
	over = !(one > 0) || two / one > 2.3
	printf "%-44s %7.3f s CPU, %.3f s CPU: %.2f times, of 2.3%s\n", "plan: twice the steps", one, two, two / one,
		over ? "   OVER" : ""
	exit over
}' || BENCH_BAD=1
bench_done
