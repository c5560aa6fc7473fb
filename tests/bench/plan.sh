# plan.sh - weft plan of 10,000 steps on a cluster of 10,000 nodes.
. "$(dirname "$0")/lib.sh"

cat >"$BENCH_TMP/cluster.yaml" <<'END'
cluster: large
max_array_size: 100001
partitions:
  - {name: cpu, default: true, max_time: 2d, default_time: 1h, nodes: "c[0001-7000]"}
  - {name: big, max_time: 7d, nodes: "b[001-500]"}
  - {name: gpu, max_time: 1d, default_time: 1h, nodes: "g[0001-2000]"}
  - {name: old, max_time: 1d, nodes: "v[001-500]"}
  - {name: all, max_time: 1h, nodes: "c[0001-7000],b[001-500],g[0001-2000],v[001-500]"}
nodes:
  - {nodes: "c[0001-5000]", state: idle, cpus: 64, cores: 64, sockets: 2, threads_per_core: 1, mem: 256000M, features: [milan, ib]}
  - {nodes: "c[5001-7000]", state: allocated, cpus: 128, cores: 128, sockets: 2, threads_per_core: 1, mem: 512000M, features: [rome, ib]}
  - {nodes: "b[001-500]", state: mixed, cpus: 64, cores: 64, sockets: 2, threads_per_core: 1, mem: 4096000M}
  - {nodes: "g[0001-2000]", state: idle, cpus: 64, cores: 64, sockets: 2, threads_per_core: 1, mem: 512000M, gpus: {a100: 4}}
  - {nodes: "v[001-500]", state: idle, cpus: 40, cores: 40, sockets: 2, threads_per_core: 1, mem: 192000M, gpus: {v100: 2}}
END

# Layers of 100 steps, each of which needs one of the layer before; every step asks
# for something of its own in $1 of 100.
steps() {
	awk -v own="$1" 'BEGIN {
		print "name: large\nsteps:"
		for (i = 0; i < 10000; i++) {
			printf "  - name: s%d\n    run: work %d\n", i, i
			if (i >= 100)
				printf "    depends: [s%d]\n", i - 100
			k = i % 100 < own ? i : i % 8
			if (i % 4 == 0)
				printf "    resources: {gpus: %d, time: %dm}\n", 1 + k % 16, 10 + k % 50
			else
				printf "    resources: {ntasks: %d, mem_per_cpu: 1G, time: %dm}\n", 1 + k % 500, 10 + k % 50
		}
	}'
}
steps 0 >"$BENCH_TMP/alike.yaml"
steps 100 >"$BENCH_TMP/own.yaml"
cat >"$BENCH_TMP/one.yaml" <<'END'
name: one
steps:
  - {name: a, run: "true"}
END
plan() {
	bench "$1" 5 "$2" 500 "$BUILD/weft" plan --cluster "$BENCH_TMP/cluster.yaml" "${@:3}"
}
plan "plan: 1 step, 10,000 nodes" 1 "$BENCH_TMP/one.yaml"
plan "plan: 10,000 steps, 10,000 nodes" 1 "$BENCH_TMP/alike.yaml"
plan "plan: the same, no two requests alike" 1 "$BENCH_TMP/own.yaml"
plan "plan: the same, --json" 1 --json "$BENCH_TMP/own.yaml"
bench_done
