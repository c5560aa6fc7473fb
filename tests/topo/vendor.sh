#!/bin/sh
# vendor.sh - UUIDs and partitions of GPUs: from the drivers' files, from NVML and ROCm
# SMI where they are, and with libraries that fail, crash or hang.
. "$(dirname "$0")/../lib.sh"
G=$TOP/tests/golden/topo
root=$T_TMP/root

# gpus OPTIONS...: address, name, UUID and parent of each GPU of the model.
gpus() {
	"$WEFT" topo dump "$@" | sed -n 's/^gpu \([^ ]*\) .* name=\([^ ]*\) uuid=/\1 \2 /p'
}
# file PATH TEXT
file() {
	mkdir -p "$root/${1%/*}"
	printf '%b' "$2" >"$root/$1"
}

# --- NVIDIA's files
nvidia=proc/driver/nvidia
i=0
for pci in 0000:1b:00.0 0000:43:00.0 0000:52:00.0; do
	file "$nvidia/gpus/$pci/information" "Model: \t\t NVIDIA H100\nIRQ:   \t\t 1$i\nGPU UUID: \t GPU-aaaa000$i\nDevice Minor: \t $((7 - i))\n"
	i=$((i + 1))
done
file "$nvidia/gpus/0000:61:00.0/information" 'GPU UUID: \t GPU-????????-????\n'
T_OUT=$(gpus --xml "$G/dgx-h100.xml" --root "$root")
t_is 'UUIDs of the NVIDIA driver' "$(printf '%s\n' "$T_OUT" | head -n 4)" '0000:1b:00.0 - GPU-aaaa0000
0000:43:00.0 - GPU-aaaa0001
0000:52:00.0 - GPU-aaaa0002
0000:61:00.0 - -'
t_is 'without its files' "$(gpus --xml "$G/dgx-h100.xml" | grep -c ' - -$')" 8

# Two GPU instances, one of them in two compute instances; gpu6 is the second.
for mig in gi1/ci0 gi2/ci0 gi2/ci1; do file "$nvidia/capabilities/gpu6/mig/$mig/access" 'DeviceFileMinor: 1\n'; done
file "$nvidia/capabilities/mig/config" 'DeviceFileMinor: 1\n'
T_OUT=$(gpus --xml "$G/dgx-h100.xml" --root "$root")
t_is 'MIG: each instance is a device, of its GPU' "$(printf '%s\n' "$T_OUT" | sed -n 2,5p)" '0000:43:00.0/0 gi1.ci0 - of=GPU-aaaa0001
0000:43:00.0/1 gi2.ci0 - of=GPU-aaaa0001
0000:43:00.0/2 gi2.ci1 - of=GPU-aaaa0001
0000:52:00.0 - GPU-aaaa0002'
"$WEFT" topo dump --xml "$G/dgx-h100.xml" --root "$root" >"$T_TMP/mig.model"
[ -z "${WEFT_TEST_WRITE-}" ] || cp "$T_TMP/mig.model" "$G/dgx-h100-mig.model"
t_is 'MIG: the whole model' "$(diff "$T_TMP/mig.model" "$G/dgx-h100-mig.model")" ''
t_is 'MIG: three devices for one' "$(sed -n 's/^size .* \(gpus=[0-9]*\) .*/\1/p' "$T_TMP/mig.model")" gpus=10
t_is 'the model reads itself' "$("$WEFT" topo dump --from "$T_TMP/mig.model" | cmp - "$T_TMP/mig.model" 2>&1)" ''
t_is 'MIG: near the same cores and NIC' "$("$WEFT" bind --topology "$T_TMP/mig.model" \
	--tasks 10 --gpus-per-task 1 --format map | sed -n 's/.*gpus=\(0000:43[^ ]*\) nics=\(.*\)/\1 \2/p')" \
	'0000:43:00.0/0 0000:40:00.0
0000:43:00.0/1 0000:40:00.0
0000:43:00.0/2 0000:40:00.0'

# --- AMD's files
kfd=sys/class/kfd/kfd/topology/nodes
for d in 0 1 2 3; do
	file "sys/bus/pci/devices/000$d:01:00.0/unique_id" "a0000000000000${d}f\n"
	file "$kfd/$d/properties" "cpu_cores_count 48\nsimd_count 0\nlocation_id 0\ndomain 0\n"
	file "$kfd/$((d + 4))/properties" "cpu_cores_count 0\nsimd_count 912\nlocation_id 256\ndomain $d\nunique_id $((16 + d))\n"
done
t_is 'unique ids of the AMD driver' "$(gpus --xml "$G/mi300a.xml" --root "$root")" \
	'0000:01:00.0 - GPU-a00000000000000f
0001:01:00.0 - GPU-a00000000000001f
0002:01:00.0 - GPU-a00000000000002f
0003:01:00.0 - GPU-a00000000000003f'
# CPX of the second: its partitions are functions 0 to 2 of it, and told apart.
for p in 1 2; do
	file "$kfd/$((10 + p))/properties" "simd_count 152\nlocation_id $((256 + p))\ndomain 1\nunique_id $((32 + p))\n"
done
T_OUT=$(gpus --xml "$G/mi300a.xml" --root "$root")
t_is 'partitions: each a device, of its GPU' "$(printf '%s\n' "$T_OUT" | sed -n 2,5p)" \
	'0001:01:00.0/0 xcp0 GPU-0000000000000011 of=GPU-a00000000000001f
0001:01:00.0/1 xcp1 GPU-0000000000000021 of=GPU-a00000000000001f
0001:01:00.0/2 xcp2 GPU-0000000000000022 of=GPU-a00000000000001f
0002:01:00.0 - GPU-a00000000000002f'
# A kernel that gives all the same id: they are counted, then.
for p in 1 2; do
	file "$kfd/$((10 + p))/properties" "simd_count 152\nlocation_id 256\ndomain 1\nunique_id 17\n"
done
t_is 'partitions with one id' "$(gpus --xml "$G/mi300a.xml" --root "$root" | grep -c '^0001:01:00.0/. xcp. - of=GPU-a00000000000001f$')" 3
rm "$root/$kfd/11/properties"
file "$kfd/12/properties" 'simd_count 99999999999999999999999\nlocation_id x\n'
t_run 0 'files that say nothing' "$WEFT" topo dump --xml "$G/mi300a.xml" --root "$root"

# --- the libraries: of this machine only, which hwloc is told that the file is
lib=$T_TMP/lib
mkdir "$lib"
if ! ${CC:-cc} -shared -fPIC -o "$lib/libnvidia-ml.so.1" "$TOP/tests/topo/fake_nvml.c" ||
	! ${CC:-cc} -shared -fPIC -o "$lib/librocm_smi64.so.6" "$TOP/tests/topo/fake_rsmi.c"; then
	t_fail 'the libraries are built'
	t_done
fi
empty=$T_TMP/empty
mkdir "$empty"
# here XML OPTIONS...: as if the file were this machine, with the libraries.
here() {
	xml=$1
	shift
	HWLOC_XMLFILE=$G/$xml.xml HWLOC_THISSYSTEM=1 LD_LIBRARY_PATH=$lib "$WEFT" topo dump "$@"
}
export FAKE_NVML='0000:1b:00.0 GPU-1111 5.0 MIG-b 1.0 MIG-a;0000:43:00.0 GPU-2222'
T_OUT=$(here dgx-h100 --root "$empty" | sed -n 's/^gpu \([^ ]*\) .* uuid=/\1 /p' | head -n 4)
t_is 'NVML: UUIDs, and MIG in the order of its instances' "$T_OUT" \
	'0000:1b:00.0/0 MIG-a of=GPU-1111
0000:1b:00.0/1 MIG-b of=GPU-1111
0000:43:00.0 GPU-2222
0000:52:00.0 -'
FAKE_NVML='0000:43:00.0 GPU-aaaa0001 2.1 MIG-z 1.0 MIG-x 2.0 MIG-y'
T_OUT=$(here dgx-h100 --root "$root" | sed -n 's/^gpu \(0000:43[^ ]*\) .* uuid=/\1 /p')
t_is 'NVML: UUIDs of the MIG devices that the files tell of' "$T_OUT" \
	'0000:43:00.0/0 MIG-x of=GPU-aaaa0001
0000:43:00.0/1 MIG-y of=GPU-aaaa0001
0000:43:00.0/2 MIG-z of=GPU-aaaa0001'
FAKE_NVML=fail
t_is 'NVML that fails: as without' "$(here dgx-h100 --root "$root" | cmp - "$T_TMP/mig.model" 2>&1 | head -n 1 | sed 's/.*line/line/')" 'line 2'
FAKE_NVML=crash
t_run 4 'NVML that crashes' here dgx-h100 --root "$empty"
t_has 'and says so' "$T_OUT" 'hwloc failed'
FAKE_NVML=hang
t_run 4 'NVML that hangs' here dgx-h100 --root "$empty" --timeout 1
t_has 'and says so, too' "$T_OUT" 'no answer within 1 s (a driver hangs?)'
rm -rf "$root/$nvidia/capabilities" "$root/$nvidia/gpus/0000:61:00.0"
for pci in 61 9d c3 d1 df; do
	file "$nvidia/gpus/0000:$pci:00.0/information" "GPU UUID: \t GPU-aaaa00$pci\nDevice Minor: \t 1\n"
done
t_run 0 'NVML is not asked where the files say all' here dgx-h100 --root "$root" --timeout 5
t_run 0 'nor of another machine' env LD_LIBRARY_PATH="$lib" "$WEFT" topo dump --xml "$G/dgx-h100.xml" --timeout 5
t_is 'ROCm SMI: unique ids' "$(here mi300a --root "$empty" | sed -n 's/^gpu .* uuid=//p' | paste -sd' ')" \
	'GPU-00000000000beef0 GPU-00000000000beef1 GPU-00000000000beef2 GPU-00000000000beef3'
t_done
