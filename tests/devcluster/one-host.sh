#!/bin/bash
# The cluster without namespaces: all nodes on this host, down leaves nothing.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
# shellcheck disable=SC2016,SC2317 # expanded on the nodes; called by t_until
. "$(dirname "$0")/../lib.sh"

dc=$TOP/contrib/devcluster/devcluster
dir=/var/tmp/weft-dctest1.$$

if [ "$(id -u)" -ne 0 ]; then
	t_skip one-host "needs root"
	t_done
fi
trap '"$dc" down -q --dir "$dir" >/dev/null; rm -rf "$T_TMP"' EXIT

as() { # as USER COMMAND...
	local user=$1
	shift
	timeout 60 "$dc" sh --dir "$dir" --user "$user" -- "$@"
}
sleeping() { pgrep -f "bin/sleep 1000\.25$$\$" >/dev/null; }
# Another cluster may run, in other namespaces: look at this one's only.
stepds() { pgrep --ns $$ --nslist pid slurmstepd | sort; }
stepds >"$T_TMP/stepds"
all_gone() {
	! pgrep -f "$dir|sleep 1000\.25$$\$" >"$T_TMP/left" || return 1
	stepds | comm -13 "$T_TMP/stepds" - >"$T_TMP/left"
	[ ! -s "$T_TMP/left" ]
}

t_run 0 "up" "$dc" up --no-weft --no-namespaces --gpu-nodes 1 --dir "$dir"
t_has "up: says what is shared" "$T_OUT" "shared by all nodes"
t_run 0 "status" "$dc" status --dir "$dir"
t_run 0 "srun" as alice srun -Q -N2 sh -c 'echo "$SLURMD_NODENAME"'
t_is "srun: on both nodes" "$(printf '%s\n' "$T_OUT" | sort | xargs)" "c1 c2"
t_run 0 "srun, gpu" as bob srun -Q -p gpu --gres=gpu:2 printenv CUDA_VISIBLE_DEVICES
t_is "CUDA_VISIBLE_DEVICES" "$T_OUT" 0,1
t_is "alice and bob are two" "$([ "$(as alice id -u)" != "$(as bob id -u)" ] &&
	echo yes)" yes
t_run 2 "link: cannot be had, says so" "$dc" link c1 down --dir "$dir"
t_run 0 "kill-node" "$dc" kill-node c1 --dir "$dir"
t_run 1 "status: says that something is wrong" "$dc" status --dir "$dir"
t_run 0 "start-node" "$dc" start-node c1 --dir "$dir"
t_run 0 "all is well again" t_until 60 "$dc" status --dir "$dir"

as alice sbatch -o /dev/null >/dev/null <<END
#!/bin/sh
srun sleep 1000.25$$
END
t_run 0 "a job runs" t_until 30 sleeping
"$dc" kill-node ctl --dir "$dir" >/dev/null
t_run 0 "down, slurmctld killed and a job running" "$dc" down --dir "$dir"
if t_until 10 all_gone && [ ! -e "$dir" ]; then
	t_ok "nothing is left"
else
	t_fail "nothing is left" "$(xargs -r ps -fp <"$T_TMP/left")"
fi
t_done
