#!/bin/sh
# published.sh - what the sites and vendors print about their nodes, told by weft from
# hwloc XML of these.
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/topo" || exit 2

# numa_of MACHINE: each GPU by its number in PCI order, and the NUMA node near it.
numa_of() {
	"$WEFT" topo dump --xml "$1.xml" | awk '
	$1 == "numa" && $4 == "kind=dram" { split($3, f, "="); os[++n] = f[2]; sub(/.*cpus=/, ""); cpus[n] = $0 }
	function first(list) { sub(/[-,].*/, "", list); return list + 0 }
	function has(list, cpu,    v, r, i, k) {
		k = split(list, v, ",")
		for (i = 1; i <= k; i++) {
			split(v[i], r, "-")
			if (cpu >= r[1] && cpu <= (r[2] == "" ? r[1] : r[2])) return 1
		}
		return 0
	}
	$1 == "gpu" {
		match($0, /cpus=[^ ]*/)
		c = first(substr($0, RSTART + 5, RLENGTH - 5))
		for (i = 1; i <= n; i++) if (has(cpus[i], c)) out = out (out ? " " : "") g++ ":" os[i]
	}
	END { print out }'
}
# map MACHINE OPTIONS...: CPUs and GPUs of each task, a GPU by its number, on a line.
map() {
	machine=$1
	shift
	"$WEFT" topo dump --xml "$machine.xml" | sed -n 's/^gpu \([^ ]*\) .*/\1/p' >"$T_TMP/gpus"
	"$WEFT" bind --topology "$machine.xml" --format map "$@" | awk -v list="$T_TMP/gpus" '
	BEGIN { while ((getline g < list) > 0) number[g] = n++ }
	{ sub(/cpus=/, "", $4); sub(/gpus=/, "", $5); printf "%s%s:%s", sep, number[$5], $4; sep = " " }
	END { print "" }'
}

# Frontier's and LUMI-G's tables: GPU, and its NUMA node.
t_is 'Frontier and LUMI-G: NUMA 0 has GPUs 4,5; 1: 2,3; 2: 6,7; 3: 0,1' "$(numa_of frontier)" \
	'0:3 1:3 2:1 3:1 4:0 5:0 6:2 7:2'
# Their masks: an L3 without its first core for each GPU, in the order of the cores.
t_is 'their cores, without the first of each L3' "$(map frontier --tasks 8 --gpus-per-task 1 --smt 1 --reserve l3:1)" \
	'4:1-7 5:9-15 2:17-23 3:25-31 6:33-39 7:41-47 0:49-55 1:57-63'
t_is 'and as masks' "$("$WEFT" bind --topology frontier.xml --tasks 8 --gpus-per-task 1 --smt 1 \
	--reserve l3:1 --format srun)" '--ntasks-per-node=8 --cpu-bind=mask_cpu:0xfe,0xfe00,0xfe0000,0xfe000000,0xfe00000000,0xfe0000000000,0xfe000000000000,0xfe00000000000000'
t_is 'with both threads of each' "$(map frontier --tasks 8 --gpus-per-task 1 --reserve l3:1)" \
	'4:1-7,65-71 5:9-15,73-79 2:17-23,81-87 3:25-31,89-95 6:33-39,97-103 7:41-47,105-111 0:49-55,113-119 1:57-63,121-127'
t_is 'JUWELS Booster: GPU 0 to 3 at NUMA 3, 1, 7, 5' "$(numa_of juwels-booster)" '0:3 1:1 2:7 3:5'
t_is 'DGX A100: pairs at NUMA 3, 1, 7, 5' "$(numa_of dgx-a100)" '0:3 1:3 2:1 3:1 4:7 5:7 6:5 7:5'
t_is 'DGX H100: GPU 0 to 3 at socket 0' "$(numa_of dgx-h100)" '0:0 1:0 2:0 3:0 4:1 5:1 6:1 7:1'
t_is 'DGX H100: their cores' "$(map dgx-h100 --tasks 8 --gpus-per-task 1 --smt 1)" \
	'0:0-13 1:14-27 2:28-41 3:42-55 4:56-69 5:70-83 6:84-97 7:98-111'
t_is 'DGX H100: each GPU has a NIC of its own, behind its switch' "$("$WEFT" bind --topology dgx-h100.xml \
	--tasks 8 --gpus-per-task 1 --format map | sed 's/.*gpus=0000:\(..\).* nics=0000:\(..\).*/\1-\2/' | paste -sd' ')" \
	'1b-18 43-40 52-4f 61-5e 9d-9a c3-c0 d1-ce df-dc'
t_is 'GH200: a GPU a package' "$(numa_of gh200x4)" '0:0 1:1 2:2 3:3'
t_is 'GH200: GPU memory is no domain' "$(map gh200x4 --tasks 4 --gpus-per-task 1)" '0:0-71 1:72-143 2:144-215 3:216-287'
t_is 'MI300A: a GPU an APU' "$(map mi300a --tasks 4 --gpus-per-task 1 --smt 1)" '0:0-23 1:24-47 2:48-71 3:72-95'
t_is 'Aurora: GPUs 0 to 2 at socket 0' "$(numa_of aurora)" '0:0 1:0 2:0 3:1 4:1 5:1'
t_is 'Aurora: HBM is no domain' "$(map aurora --tasks 6 --gpus-per-task 1 --smt 1 --reserve package:1)" \
	'0:1-17 1:18-34 2:35-51 3:53-69 4:70-86 5:87-103'
t_is 'Summit: GPUs 0 to 2 at socket 0, number 0; the other is 8' "$(numa_of power9)" '0:0 1:0 2:0 3:8 4:8 5:8'
t_is 'Summit: seven cores a GPU, one for the system' "$(map power9 --tasks 6 --gpus-per-task 1 --cpus-per-task 28 \
	--reserve package:1)" '0:4-31 1:32-59 2:60-87 3:100-127 4:128-155 5:156-183'
t_is 'MI300X: each GPU has a NIC of its own, behind its switch' "$("$WEFT" bind --topology mi300x.xml \
	--tasks 8 --gpus-per-task 1 --format map | sed 's/.*gpus=0000:\(..\).* nics=0000:\(..\).*/\1-\2/' | paste -sd' ')" \
	'05-03 26-24 46-44 65-63 85-83 a6-a4 c6-c4 e5-e3'
t_is 'Xeon Max: eight domains, not seventeen' "$("$WEFT" bind --topology xeon-max.xml --tasks 8 --format map |
	sed 's/.*cpus=\([^,]*\).*/\1/' | paste -sd' ')" '0-13 14-27 28-41 42-55 56-69 70-83 84-97 98-111'
t_is 'Xeon Max: DDR, HBM and CXL' "$("$WEFT" topo show --xml xeon-max.xml | awk 'NR > 2 { n[$2]++ } END { print n["DRAM"], n["HBM"], n["CXL"] }')" '8 8 1'
t_is 'Grace: two sockets, a thread a core' "$("$WEFT" bind --topology grace.xml --tasks 2 --format map |
	sed 's/.*cpus=\([^ ]*\).*/\1/' | paste -sd' ')" '0-71 72-143'
t_done
