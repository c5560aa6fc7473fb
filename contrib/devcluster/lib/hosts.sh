# shellcheck shell=bash
# Hosts and daemons: making, entering and ending them.
#
# Each host is a set of namespaces that its first process (lib/init) keeps.
# `ctl` holds the bridge, munged and slurmctld, and its process namespace holds
# all the others': the kernel ends the whole cluster with that one process,
# and frees networks and mounts with it. Nothing is made in the machine's own
# namespaces, so there is nothing there to clean up.

readonly CLEAN_PATH=/usr/sbin:/usr/bin:/sbin:/bin

# Into all of a host, at its root folder: where this machine is a chroot, the top
# of a mount namespace lies outside of it.
readonly ENTER=(nsenter --mount --net --uts --ipc --pid --root --wd)

namespaces_work()
{
	unshare --mount --net --uts --ipc --pid --fork \
		sh -c 'mount -t tmpfs none /mnt && ip link add b0 type bridge' \
		>/dev/null 2>&1
}

init_pid()
{
	recorded_pid "$DIR/run/$1.init"
}

cluster_runs()
{
	if [[ $NAMESPACES == yes ]]; then
		init_pid ctl >/dev/null
	else
		daemon_runs slurmctld
	fi
}

# on HOST COMMAND...: as root in a host, with a clean environment.
on()
{
	local host=$1 pid enter=()

	shift
	if [[ $NAMESPACES == yes ]]; then
		pid=$(init_pid "$host") || return "$EX_DOWN"
		enter=("${ENTER[@]}" -t "$pid" --)
	fi
	"${enter[@]}" env -i PATH="$CLEAN_PATH" LANG=C.UTF-8 \
		SLURM_CONF="$DIR/etc/slurm.conf" "$@"
}

has_record()
{
	[[ -e $DIR/run/$1.ready ]] && init_pid "$1" >/dev/null
}

# Starts a host's first process; host_connect must follow.
host_start()
{
	local host=$1 pid within=()

	rm -f "$DIR/run/$host."{init,ready,linked}
	if [[ $host != ctl ]]; then
		pid=$(init_pid ctl) || return 1
		within=(nsenter -t "$pid" --pid --)
	fi
	spawn "$DIR/log/init.$host.log" "${within[@]}" \
		unshare --mount --net --uts --ipc --pid --fork \
		"$LIB/init" "$LIB" "$DIR" "$host"
}

host_await()
{
	wait_for 30 has_record "$1" && return
	warn "host $1 did not start; the end of $DIR/log/init.$1.log:"
	tail -n 10 "$DIR/log/init.$1.log" >&2
	return 1
}

# Gives a host its cable: eth0 here, a port named after it on ctl's bridge.
host_connect()
{
	local host=$1 ctl pid

	ctl=$(init_pid ctl) && pid=$(init_pid "$host") || return 1
	# The kernel removes a dead host's cable a little later than the host.
	nsenter -t "$ctl" --net -- sh -c \
		"ip link del $host 2>/dev/null
		ip link add $host type veth peer name eth0 netns $pid &&
		ip link set $host master br0 up" || return 1
	nsenter -t "$pid" --net -- sh -c \
		"ip addr add $(host_address "$host")/16 dev eth0 &&
		ip link set eth0 up" || return 1
	: >"$DIR/run/$host.linked"
}

# Started and connected; an `up` that was killed may have left one that is not.
host_whole()
{
	has_record "$1" && [[ $1 == ctl || -e $DIR/run/$1.linked ]]
}

daemon_runs()
{
	recorded_pid "$DIR/run/$1.daemon" >/dev/null
}

# daemon_start NAME HOST COMMAND...: runs a daemon that stays in the
# foreground, and records its id as this machine sees it.
daemon_start()
{
	local name=$1 host=$2 pid enter=()

	shift 2
	if [[ $NAMESPACES == yes ]]; then
		pid=$(init_pid "$host") || return 1
		enter=(nsenter -t "$pid" --net --uts --ipc --pid --)
	fi
	spawn "$DIR/log/start.$name.log" "${enter[@]}" \
		"$LIB/daemon" "$LIB" "$DIR" "$name" "${pid:-}" \
		env -i PATH="$CLEAN_PATH" LANG=C.UTF-8 \
		DEVCLUSTER_OWNED="$DIR" SLURM_CONF="$DIR/etc/slurm.conf" "$@"
}

munged_start()
{
	local sock=$DIR/run/munge/socket

	daemon_runs munged && return
	rm -f "$sock" "$sock.lock"
	daemon_start munged ctl /usr/sbin/munged --foreground --force \
		--socket="$sock" --key-file="$DIR/etc/munge.key" \
		--pid-file="$DIR/run/munged.pid" --log-file="$DIR/log/munged.log" \
		--seed-file="$DIR/state/munged.seed" --num-threads=4
	wait_for 30 test -S "$sock" && return
	warn "munged did not start; the end of $DIR/log/start.munged.log:"
	tail -n 10 "$DIR/log/start.munged.log" >&2
	return 1
}

slurmctld_start()
{
	daemon_runs slurmctld ||
		daemon_start slurmctld ctl env WEFT_CONF="$DIR/etc/weft.conf" \
			/usr/sbin/slurmctld -D
}

slurmd_start()
{
	daemon_runs "slurmd.$1" && return
	mkdir -p "$DIR/spool/$1"
	# Never on the machine itself: it is not ours to set up.
	if [[ $NAMESPACES == yes && -x $DIR/etc/boot ]] &&
		! on "$1" "$DIR/etc/boot" "$1" >>"$DIR/log/boot.$1.log" 2>&1; then
		warn "etc/boot failed on $1; the end of its log:"
		tail -n 10 "$DIR/log/boot.$1.log" >&2
		return 1
	fi
	daemon_start "slurmd.$1" "$1" /usr/sbin/slurmd -D -N "$1"
}

# kill_recorded FILE: kills that very process, and waits until it is gone.
kill_recorded()
{
	local pid

	pid=$(recorded_pid "$1") || return 0
	kill -KILL "$pid" 2>/dev/null
	wait_for 20 not_recorded "$1" ||
		warn "process $pid does not end: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
}

not_recorded()
{
	! recorded_pid "$1" >/dev/null
}

# Starts what of the cluster does not run yet.
start_missing()
{
	local host new=()

	if [[ $NAMESPACES == yes ]]; then
		if ! has_record ctl; then
			host_start ctl
			host_await ctl || return 1
		fi
		for host in login $(node_names); do
			host_whole "$host" && continue
			has_record "$host" || host_start "$host"
			new+=("$host")
		done
		munged_start && slurmctld_start || return 1
		for host in "${new[@]}"; do
			if ! host_await "$host" || ! host_connect "$host"; then
				warn "cannot connect host $host"
				return 1
			fi
		done
	else
		munged_start && slurmctld_start || return 1
	fi
	for host in $(node_names); do
		slurmd_start "$host" || return 1
	done
}

# "NODE STATE" lines, as Slurm has it.
node_states()
{
	on ctl timeout 5 sinfo -h -N -o '%N %T' 2>/dev/null | sort -u
}

all_usable()
{
	local node state n=0

	while read -r node state; do
		case $state in
		idle | mixed | allocated | completing) ((++n)) ;;
		*) return 1 ;;
		esac
	done < <(node_states)
	((n == CPU_NODES + GPU_NODES))
}

await_nodes()
{
	local node state states

	wait_for "$1" all_usable && return
	states=$(node_states)
	if [[ -z $states ]]; then
		warn "slurmctld does not answer; the end of its log:"
		tail -n 15 "$DIR"/log/{start.slurmctld,slurmctld}.log >&2
		return 1
	fi
	while read -r node state; do
		case $state in idle | mixed | allocated | completing) continue ;; esac
		warn "node $node is $state; the end of its log:"
		tail -n 5 "$DIR/log/start.slurmd.$node.log" >&2
	done <<<"$states"
	return 1
}

# Ends all processes of the cluster.
stop_all()
{
	local file

	if [[ $NAMESPACES == yes ]]; then
		kill_recorded "$DIR/run/ctl.init"
		return
	fi
	for file in "$DIR"/run/*.daemon; do
		[[ ! -e $file ]] || kill_recorded "$file"
	done
	kill_owned
}

# Without namespaces, the daemons are known by the mark in their environment,
# slurmstepd, which wipes that out, by its log, and tasks by the job's variables.
is_owned()
{
	local env=$1/environ reader=() uid gid

	# A container's root may not look into others' processes: they may themselves.
	read -r uid gid < <(stat -c '%u %g' "$1" 2>/dev/null) || return 1
	((uid == 0)) || reader=(setpriv --reuid "$uid" --regid "$gid" --clear-groups)
	if [[ $(readlink "$1/exe") == */slurmstepd* ]]; then
		find "$1/fd" -lname "$DIR/log/*" 2>/dev/null | grep -q .
	elif "${reader[@]}" grep -qzxF "SLURM_CONF=$DIR/etc/slurm.conf" "$env" 2>/dev/null; then
		"${reader[@]}" grep -qz -e '^SLURM_JOB_ID=' -e '^DEVCLUSTER_OWNED=' "$env"
	else
		return 1
	fi
}

owned_pids()
{
	local dir

	for dir in /proc/[0-9]*; do
		! is_owned "$dir" || echo "${dir#/proc/}"
	done
}

kill_owned()
{
	local pids i

	for ((i = 0; i < 100; i++)); do
		mapfile -t pids < <(owned_pids)
		((${#pids[@]} > 0)) || return 0
		kill -KILL "${pids[@]}" 2>/dev/null
		sleep 0.05
	done
	warn "processes that do not end: ${pids[*]}"
}
