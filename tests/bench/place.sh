# place.sh - how well weft places, against its bars and, where known, other tools.
#
#   make bench-place [TOPO=DIR] [JUDGE=PROGRAM]
#
# DIR has machines, as hwloc XML or as `weft topo dump` prints them (default: the
# tests' own), and may have a peers.csv: a line for each tool, machine and number of
# tasks, with columns named tool, hwloc, topology, ntasks, gpu_optim, greedy, status,
# cores, gpus, span_numa, gpu_tasks_all_local, tasks_without_gpu, pu_shared_pairs, cores_jain,
# cores_unused, nic_assigned, nic_assigned_local.  Our figures are of the same meaning:
#   local    GPU tasks whose CPUs are all in their GPU's NUMA node, of GPU tasks;
#            without GPUs, tasks whose CPUs are all in one
#   no GPU   tasks without one       shared  pairs of tasks with a common thread
#   Jain     evenness of cores       idle    cores that no task has
# A cell is a machine with a number of tasks, with or without GPUs.  It's dominated
# where another tool is as good or better in all of these (where it gives NICs, in
# near NICs, too), and better in one.  The bars of idle cores and evenness are compared
# on the cells in which the other tool keeps the strict rules, too: every task has a
# GPU, and no thread is shared while there are enough; where they don't, and ours idles more
# for keeping them, the cells are listed.  0.173, 0.970 and 0.316 are the bars' own figures.
#
# PROGRAM is an independent judge: `PROGRAM -H` prints the names of its columns, `PROGRAM
# XML MAP` their values for a map as `weft bind --format map` prints it.  Where it counts
# GPUs, threads, cores and tasks otherwise than we do, the cell is listed.
. "$(dirname "$0")/lib.sh"
TOPO=${TOPO:-tests/golden/place}
peers=/dev/null
[ ! -f "$TOPO/peers.csv" ] || peers=$TOPO/peers.csv

"$BUILD/tests/place_figures" "$TOPO" "$BENCH_TMP/cache" >"$BENCH_TMP/figures" || exit 1

awk -F, '
function key(gpus, file, n) { return gpus SUBSEP file SUBSEP n }
# A figure, and the bar that it is to keep: "=", "<=" or ">=".
function bar(what, got, rule, limit, unit,    over) {
	over = rule == "<=" ? got > limit : rule == ">=" ? got < limit : got != limit
	printf "%-58s %10s %s (%s %s)%s\n", what, got, unit, rule, limit, over ? "   OVER" : ""
	bad += over
}
function ratio(a, b) { return b ? a / b : 1 }
function row(name, t) {
	printf "  %-34s %5d %8.3f %7d %7d %8.4f %7.1f%%\n", name, t["cells"],
		ratio(t["local"], t["tasks"]), t["without"], t["shared"],
		ratio(t["jain"], t["cells"]), 100 * ratio(t["idle"], t["cells"])
}
function add(t, tasks, near, without, shared, jain, idle) {
	t["cells"]++; t["tasks"] += tasks; t["local"] += near; t["without"] += without
	t["shared"] += shared; t["jain"] += jain; t["idle"] += idle
}
function ours(t, b, k) {
	add(t, k_n[k], has[b, k, "local"], has[b, k, "without"],
		has[b, k, "shared"], has[b, k, "jain"], has[b, k, "idle"] / has[b, k, "cores"])
}

FILENAME == ARGV[1] && $1 == "cell" {
	k = key($3, $2, $5); b = $4; k_n[k] = $5
	if (!(k in seen)) { seen[k] = 1; cell[++cells] = k }
	has[b, k, "cores"] = $6; has[b, k, "threads"] = $7; has[b, k, "gpus"] = $8
	refused[b] += $9; empty[b] += $10
	has[b, k, "shared"] = $11; has[b, k, "without"] = $12; has[b, k, "local"] = $13
	has[b, k, "jain"] = $15; has[b, k, "idle"] = $16; has[b, k, "nics"] = $17
	if ($5 <= $7) twice[b] += $11
	if ($3 == "gpus") {
		if ($5 <= $8) without[b] += $12
		if ($14) { may[b] += $5; local_may[b] += $13 }
		far[b] += $17; uneven[b] += $18
	}
	if (b == "even" && $5 <= $7 && (!(b in least) || $15 < least[b])) least[b] = $15
	next
}
FILENAME == ARGV[1] && $1 == "coupled" {
	if ($3 <= $4) pairs += $5
	else crowded = crowded sprintf("  %s: %d tasks on %d threads, %d pairs share\n", $2, $3, $4, $5)
	lost += $6; edges += $7; can += $8 < $9 ? $9 : $8; in_numa += $9; coupled++
	if ($9 < 0.95 * ($8 < $7 ? $8 : $7)) short = short sprintf("  %s: %d of %d, %d possible\n", $2, $9, $7, $8)
	else if ($9 < 0.95 * $7) limited = limited sprintf("  %s: %d of %d, %d possible\n", $2, $9, $7, $8)
	next
}
FILENAME == ARGV[1] && $1 == "time" {
	if ($4 == 8) { if ($5 > eight) eight = $5 }
	else if ($3 > largest) { largest = $3; many = $5 }
	next
}
FILENAME == ARGV[1] && $1 == "cache" { if ($4 > cache) cache = $4; next }
FILENAME == ARGV[1] { next }
FNR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
$col["status"] != "ok" { next }
{
	# Without GPUs only tools that can be told so, and machines without any, compare.
	split("gpus none", kinds, " ")
	tool = $col["tool"]
	sub(/-[0-9].*/, "", tool)
	if ($col["hwloc"] != "") tool = tool " greedy:" $col["greedy"] " (hwloc " $col["hwloc"] ")"
	for (i = 1; i <= 2; i++) {
		k = key(kinds[i], $col["topology"], $col["ntasks"])
		if (!(k in seen)) continue
		if (kinds[i] == "gpus" ? $col["gpu_optim"] == "0" : $col["gpus"] > 0 && $col["gpu_optim"] != "0") continue
		p = kinds[i] SUBSEP tool
		if (!(p in known)) { known[p] = 1; peer[++n_peers] = p }
		of[p] = of[p] " " ++n_rows
		row_key[n_rows] = k
		row_tool[n_rows] = tool
		g = kinds[i] == "gpus"
		r_local[n_rows] = g ? $col["gpu_tasks_all_local"] : k_n[k] - $col["span_numa"]
		r_without[n_rows] = g ? $col["tasks_without_gpu"] : 0
		r_shared[n_rows] = $col["pu_shared_pairs"]
		r_jain[n_rows] = $col["cores_jain"]
		r_idle[n_rows] = $col["cores_unused"]
		r_nics[n_rows] = g && $col["nic_assigned"] > 0 ? $col["nic_assigned_local"] : -1
	}
}
function worse(b, r,    k, d, local, jain) {
	k = row_key[r]
	local = has[b, k, "local"] - r_local[r]
	jain = has[b, k, "jain"] - r_jain[r]
	if (local > 0 || has[b, k, "without"] < r_without[r] || has[b, k, "shared"] < r_shared[r] ||
		jain > 0.00005 || has[b, k, "idle"] < r_idle[r]) return 0
	if (r_nics[r] >= 0 && k_n[k] - has[b, k, "nics"] > r_nics[r]) return 0
	d = local < 0 || has[b, k, "without"] > r_without[r] || has[b, k, "shared"] > r_shared[r] ||
		jain < -0.00005 || has[b, k, "idle"] > r_idle[r]
	return d
}
function dominated(b, list,    r, k, v, n, f) {
	n = 0
	split("", v)
	for (r = 1; r <= n_rows; r++) {
		k = row_key[r]
		if (!worse(b, r) || (k in v)) continue
		v[k] = 1
		split(k, f, SUBSEP)
		if (++n <= 40 && list)
			printf "  %s, %d tasks, %s: ours local %d shared %d Jain %.4f idle %d; %s local %d shared %d Jain %.4f idle %d\n",
				f[2], f[3], f[1] == "gpus" ? "GPUs" : "no GPU", has[b, k, "local"], has[b, k, "shared"],
				has[b, k, "jain"], has[b, k, "idle"], row_tool[r], r_local[r], r_shared[r], r_jain[r], r_idle[r]
	}
	return n
}
function more_idle(r, wanted,    k, f) {
	k = row_key[r]
	if (!wanted || has["default", k, "idle"] <= r_idle[r]) return ""
	split(k, f, SUBSEP)
	return sprintf("  %s, %d tasks: ours leaves %d of %d cores idle, all %d tasks have a GPU; it %d, %d have none\n", f[2], f[3],
		has["default", k, "idle"], has["default", k, "cores"], k_n[k], r_idle[r], r_without[r])
}
function against(kind,    i, p, f, t, a, b, ct, ca, cb, rows, n, r) {
	printf "\n%s\n  %-34s %5s %8s %7s %7s %8s %8s\n",
		kind == "gpus" ? "Cells with GPUs (ours on the cells of each other tool)" : "Cells without GPUs",
		"", "cells", "local", "no GPU", "shared", "Jain", "idle"
	split("", a); split("", b)
	for (i = 1; i <= cells; i++) {
		split(cell[i], f, SUBSEP)
		if (f[1] != kind) continue
		ours(a, "default", cell[i]); ours(b, "even", cell[i])
	}
	if (!a["cells"]) return
	row("weft, all cells", a); row("weft, balance: even, all cells", b)
	if (kind == "gpus") {
		all_idle = ratio(a["idle"], a["cells"]); all_jain = ratio(a["jain"], a["cells"])
		all_even = ratio(b["idle"], b["cells"])
	}
	for (p = 1; p <= n_peers; p++) {
		split(peer[p], f, SUBSEP)
		if (f[1] != kind) continue
		split("", t); split("", a); split("", b); split("", ct); split("", ca); split("", cb)
		n = split(of[peer[p]], rows, " ")
		for (i = 1; i <= n; i++) {
			r = rows[i]
			add(t, k_n[row_key[r]], r_local[r], r_without[r], r_shared[r], r_jain[r],
				r_idle[r] / has["default", row_key[r], "cores"])
			ours(a, "default", row_key[r]); ours(b, "even", row_key[r])
			if (r_without[r] || (r_shared[r] && k_n[row_key[r]] <= has["default", row_key[r], "threads"])) {
				lists[f[2]] = lists[f[2]] more_idle(r, kind == "gpus" && f[2] ~ /^mpibind greedy:0/)
				continue
			}
			add(ct, 0, 0, 0, 0, r_jain[r], r_idle[r] / has["default", row_key[r], "cores"])
			ours(ca, "default", row_key[r]); ours(cb, "even", row_key[r])
		}
		row(f[2], t); row("  weft", a); row("  weft, balance: even", b)
		if (kind == "gpus" && f[2] ~ /^mpibind greedy:0/) {
			compare[++n_compare] = f[2]
			c_idle[n_compare] = ratio(ct["idle"], ct["cells"]); c_jain[n_compare] = ratio(ct["jain"], ct["cells"])
			e_all[n_compare] = ratio(t["idle"], t["cells"]); o_all[n_compare] = ratio(a["idle"], a["cells"])
			o_idle[n_compare] = ratio(ca["idle"], ca["cells"]); o_jain[n_compare] = ratio(ca["jain"], ca["cells"])
		}
		if (kind == "gpus" && f[2] ~ /^prrte-pe/) {
			e_idle = ratio(ct["idle"], ct["cells"]); w_idle = ratio(cb["idle"], cb["cells"]); e_peer = f[2]
		}
	}
}
END {
	printf "%d cells\n", cells
	against("gpus"); against("none")
	for (i = 1; i <= 2; i++) {
		b = i == 1 ? "default" : "even"
		printf "\n%s\n", i == 1 ? "Bars" : "Bars, balance: even"
		bar("refused requests", refused[b], "=", 0)
		bar("empty masks", empty[b], "=", 0)
		bar("local GPU tasks, where local threads suffice", sprintf("%.3f", ratio(local_may[b], may[b])), ">=", 1)
		bar("tasks without a GPU, where tasks <= GPUs", without[b] + 0, "=", 0)
		bar("shared threads, where tasks <= threads (pairs)", twice[b] + 0, "=", 0)
		bar("GPU tasks without a NIC of the nearest class", far[b] + 0, "=", 0)
		bar("GPU tasks among uneven NICs of a class", uneven[b] + 0, "=", 0)
	}
	bar("least Jain index, where tasks <= threads", least["even"], ">=", 1)
	if (e_peer) bar("idle cores with balance: even, on the cells of " e_peer, sprintf("%.4f", w_idle), "<=", sprintf("%.4f", e_idle))
	if (n_compare) {
		printf "\nAgainst other tools\n"
		bar("idle cores, all cells with GPUs", sprintf("%.4f", all_idle), "<=", "0.1730")
		bar("Jain index, on the same", sprintf("%.4f", all_jain), ">=", "0.9700")
		bar("idle cores with balance: even, all cells with GPUs", sprintf("%.4f", all_even), "<=", "0.3160")
	}
	for (i = 1; i <= n_compare; i++) {
		bar("idle cores, on the cells of " compare[i], sprintf("%.4f", o_idle[i]), "<=", sprintf("%.4f", c_idle[i]))
		bar("Jain index, on the same", sprintf("%.4f", o_jain[i]), ">=", sprintf("%.4f", c_jain[i]))
		if (o_all[i] > e_all[i])
			printf "idle cores with its cells that break the rules: %.4f, it %.4f; more in\n%s", o_all[i], e_all[i], lists[compare[i]]
	}
	if (n_rows) {
		bar("dominated cells", dominated("default", 0), "=", 0)
		dominated("default", 1)
		printf "%-58s %10d\n", "dominated cells with balance: even", dominated("even", 0)
	}
	if (coupled) {
		printf "\nCoupled: a simulation on half the cores, an inference with a task a GPU\n"
		bar("shared threads, where tasks <= threads (pairs)", pairs, "=", 0)
		printf "%s", crowded
		bar("unreachable GPUs", lost, "=", 0)
		printf "%-58s %10s of %d, %d possible\n", "edges inside a NUMA node", in_numa, edges, can
		bar("machines under 95 % of what is possible", split(short, f, "\n") - (short != ""), "=", 0)
		printf "%s", short
		if (limited) printf "under 95 %% as the machine is:\n%s", limited
	}
	printf "\nTimes (medians)\n"
	bar("mapping 8 tasks, the slowest machine", eight, "<=", 50, "us")
	bar("mapping 128 tasks on the largest machine", many, "<=", 500, "us")
	bar("loading the topology from the cache, the slowest machine", cache, "<=", 2000, "us")
	exit bad > 0
}' "$BENCH_TMP/figures" "$peers" || BENCH_BAD=1

# judged MODEL GPUS BALANCE N GPUS_OF_IT: the judge's word on one cell.
judged() {
	local options=() map=$BENCH_TMP/map
	[ "$3" != even ] || options=(--balance even)
	if [ "$2" = gpus ]; then
		if [ "$4" -le "$5" ]; then options+=(--gpus-per-task 1); else options+=(--gpus all); fi
	fi
	"$BUILD/weft" bind --topology "$TOPO/$1" --tasks "$4" --format map "${options[@]}" >"$map" &&
		echo "judge,$1,$2,$3,$4,$("$JUDGE" "$TOPO/$1" "$map")"
}
if [ -n "${JUDGE-}" ]; then
	while IFS=, read -r kind file gpus balance n _ _ has _; do
		[ "$kind" != cell ] || [ "${file%.xml}" = "$file" ] || judged "$file" "$gpus" "$balance" "$n" "$has"
	done <"$BENCH_TMP/figures" >"$BENCH_TMP/judged"
	awk -F, -v names="$("$JUDGE" -H)" '
	BEGIN { n = split(names, name, ","); for (i = 1; i <= n; i++) col[name[i]] = 5 + i }
	function differs(what, a, b) { if (a - b > 0.0002 || b - a > 0.0002) words = words sprintf(" %s %s, ours %s;", what, a, b) }
	FILENAME == ARGV[1] { if ($1 == "cell") ours[$2, $3, $4, $5] = $0; next }
	{
		split(ours[$2, $3, $4, $5], o, ",")
		words = ""
		differs("empty", $col["empty_tasks"], o[10])
		differs("shared", $col["pu_shared_pairs"], o[11])
		differs("Jain", $col["cores_jain"], o[15])
		differs("idle", $col["cores_unused"], o[16])
		if ($3 == "gpus" && $col["gpus"] > 0) {
			differs("without a GPU", $col["tasks_without_gpu"], o[12])
			differs("local", $col["gpu_tasks_all_local"], o[13])
		} else if ($3 != "gpus") {
			differs("local", $5 - $col["span_numa"], o[13])
		}
		judged++
		if (words) { print "  " $2 ", " $5 " tasks:" words; bad++ }
	}
	END { printf "\n%d cells judged, %d of them otherwise\n", judged, bad; exit bad > 0 || !judged }' \
		"$BENCH_TMP/figures" "$BENCH_TMP/judged" || BENCH_BAD=1
fi
bench_done
