# check.sh - weft check of 100,000 steps.
. "$(dirname "$0")/lib.sh"

awk 'BEGIN {
	print "name: large\nvars: {n: 4}\nsteps:"
	for (i = 0; i < 100000; i++) {
		printf "  - name: s%d\n    run: work ${{ vars.n }} %d -o ${{ outputs.o }}\n", i, i
		if (i >= 100)
			printf "    inputs: [{from: s%d.o, as: i}]\n", i - 100
		printf "    outputs: {o: out.bin}\n"
	}
}' >"$BENCH_TMP/large.yaml"
bench "check: 100,000 steps" 5 1 500 "$BUILD/weft" check "$BENCH_TMP/large.yaml"
bench_done
