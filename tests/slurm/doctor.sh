#!/bin/bash
# `weft doctor` on a private cluster: all is well, and then one thing after the
# other is broken; each must be found and come with what to do.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
# shellcheck disable=SC2317 # called by t_until
. "$(dirname "$0")/../lib.sh"

dc=$TOP/contrib/devcluster/devcluster
dir=/var/tmp/weft-doctortest.$$
if [ "$(id -u)" -ne 0 ] || ! command -v slurmctld >/dev/null; then
	t_skip doctor "needs root and Slurm"
	t_done
fi
t_need_hosts doctor
trap '"$dc" down -q --dir "$dir" >/dev/null; rm -rf "$T_TMP"' EXIT
t_run 0 "a cluster" "$dc" up -q --dir "$dir" --cpu-nodes 2 --gpu-nodes 1 --build "$BUILD"
conf=$dir/etc/weft.conf
version=$("$WEFT" --version | cut -d' ' -f2)

as() { # as USER COMMAND...
	local user=$1
	shift
	timeout 120 "$dc" sh --dir "$dir" --user "$user" -- "$@"
}
say() { # what weft.conf says
	printf '%s\n' "command = $dir/bin/weft" "scratch = /scratch" "$@" >"$conf.new"
	chmod 644 "$conf.new"
	mv "$conf.new" "$conf"
}
doctor() { as alice weft doctor "$@"; }

say
t_run 0 "all is well" doctor
t_is "nothing fails" "$(grep ^FAIL <<<"$T_OUT")" ""
t_has "the plug-in and its line" "$T_OUT" \
	"OK    plug-in: weft $version, $dir/plugstack.conf.d/weft.conf: optional $dir/lib/weft.so"
t_has "weft.conf" "$T_OUT" "OK    weft.conf: $conf"
t_has "Slurm" "$T_OUT" "OK    Slurm: 22.05"
t_has "weft on a node" "$T_OUT" "OK    nodes of cpu: c1 has weft $version"
t_has "run directory" "$T_OUT" "OK    nodes of cpu: see $dir/home/alice"
t_has "GPUs" "$T_OUT" "OK    nodes of gpu: give a GPU (CUDA_VISIBLE_DEVICES=0)"
for host in c1 c2 g1; do
	"$dc" sh --dir "$dir" --user root --node $host -- weft topo cache >/dev/null ||
		t_fail "weft topo cache on $host"
done
t_run 0 "with cached topologies" doctor
t_has "topology" "$T_OUT" "OK    nodes of gpu: topology is cached"
t_is "nothing to warn of" "$(grep -E '^(WARN|FAIL)' <<<"$T_OUT")" ""
t_has "MPI" "$T_OUT" "OK    MPI: --mpi types that work:"
t_has "pmi2 works" "$T_OUT" "pmi2"
t_is "no marker is left" "$(find "$dir/home/alice" -name '.weft-doctor*')" ""

doctor --json >"$T_TMP/json"
t_is "JSON" "$(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(d["version"], all(c["verdict"] in ("ok", "warn", "fail") for c in d["checks"]))' \
	"$T_TMP/json")" "$version True"

line=$(cat "$dir/plugstack.conf.d/weft.conf")
echo "# $line" >"$dir/plugstack.conf.d/weft.conf"
t_run 1 "no plug-in" doctor
t_has "is found" "$T_OUT" "FAIL  plug-in: srun has no --weft options"
t_has "what to do" "$T_OUT" "-> add the line 'optional weft.so' to plugstack.conf"
echo "optional $dir/lib/gone/weft.so" >"$dir/plugstack.conf.d/weft.conf"
t_run 1 "a plug-in that isn't there" doctor
t_has "its line" "$T_OUT" "though $dir/plugstack.conf.d/weft.conf: optional $dir/lib/gone/weft.so"
echo "$line" >"$dir/plugstack.conf.d/weft.conf"
# shellcheck disable=SC2016
as alice sh -c 'mkdir bin && sed s/^X// >bin/srun && chmod 755 bin/srun' <<'END'
X#!/bin/sh
X[ "$1" = --help ] || exec /usr/bin/srun "$@"
Xecho "--weft=FILE weft 0.0.1: workflow file"; echo "--weft-step=NAME"
END
# shellcheck disable=SC2016
t_run 1 "an old plug-in" as alice sh -c 'PATH=$HOME/bin:$PATH exec weft doctor'
t_has "is found" "$T_OUT" "FAIL  plug-in: is weft 0.0.1, but this is weft $version"

t_run 1 "not a shared folder" as alice sh -c 'cd /scratch && exec weft doctor'
t_has "is found" "$T_OUT" "FAIL  nodes of cpu: don't see /scratch"
t_has "what to do" "$T_OUT" "-> call weft where the file system is shared"
t_run 0 "a folder that cannot be written" as alice sh -c 'cd / && exec weft doctor'
t_has "is found" "$T_OUT" "WARN  run directory: / is not writable"

say "mpi = cray_shasta"
t_run 1 "a type of MPI that doesn't work" doctor
t_has "is found" "$T_OUT" "FAIL  MPI: weft.conf says mpi = cray_shasta, which doesn't work"
t_has "what to do" "$T_OUT" "-> say mpi = pmi"

say "mpi = pmi2" "scrach = /tmp"
t_run 1 "a mistake in weft.conf" doctor
t_has "its line" "$T_OUT" "$conf:4:1"
t_has "what to do" "$T_OUT" "did you mean 'scratch'?"

say
chmod 666 "$conf"
t_run 1 "a weft.conf that others can write" doctor
t_has "is found" "$T_OUT" "FAIL  weft.conf: $conf is writable by others than root"
t_has "what to do" "$T_OUT" "every folder above"

printf 'command = /opt/weft/bin/weft\nscratch = /scratch\n' >"$conf.new"
chmod 644 "$conf.new" && mv "$conf.new" "$conf"
t_run 1 "weft isn't on the nodes" doctor
t_has "is found" "$T_OUT" "FAIL  nodes of cpu: /opt/weft/bin/weft cannot be run there"
t_has "what to do" "$T_OUT" "-> install weft on the nodes"

printf '#!/bin/sh\necho version=0.0.1\necho host=c1\n' >"$dir/bin/old-weft"
chmod 755 "$dir/bin/old-weft"
printf 'command = %s\n' "$dir/bin/old-weft" >"$conf"
t_run 1 "an old weft on the nodes" doctor
t_has "is found" "$T_OUT" "FAIL  nodes of cpu: c1 has weft 0.0.1, but this is weft $version"

# The nodes are busy: nothing can be said of them, and nothing is wrong.
say
as alice sbatch -N2 --exclusive -p cpu --wrap 'sleep 60' >/dev/null
busy() { [ "$(as alice squeue -h -t R -o %N)" = 'c[1-2]' ]; }
t_until 20 busy || t_fail "the nodes are busy" "$(as alice squeue)"
t_run 0 "busy nodes" doctor
t_has "are told" "$T_OUT" "WARN  nodes of cpu: busy"
as alice scancel --user alice

as root scontrol update partitionname=cpu allowgroups=root
t_run 0 "a partition for others" doctor
t_is "is not hers to see" "$(grep -c 'nodes of cpu' <<<"$T_OUT")" 0
t_has "MPI is tried where jobs run" "$T_OUT" "OK    MPI: "
as root scontrol update partitionname=cpu allowgroups=ALL

as root scontrol update nodename=g1 state=drain reason=test
t_run 0 "a partition that is down" doctor
t_has "is told" "$T_OUT" "WARN  nodes of gpu: all are down"
as root scontrol update nodename=c[1-2] state=drain reason=test
t_run 0 "no node at all" doctor
t_has "MPI is not tried" "$T_OUT" "WARN  MPI: no job ran"

"$dc" kill-node --dir "$dir" ctl >/dev/null
t_run 6 "slurmctld is gone" doctor
t_has "is found" "$T_OUT" "Unable to contact slurm controller"
t_has "what to do" "$T_OUT" "-> 'scontrol ping'"
t_run 2 "a wrong option" "$WEFT" doctor --jsn
t_done
