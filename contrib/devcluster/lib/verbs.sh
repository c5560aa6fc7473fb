# shellcheck shell=bash disable=SC2034,SC2153 # variables of the other parts
# The verbs.

need_cluster()
{
	[[ -e $DIR ]] || die "$EX_DOWN" "no cluster in $DIR" "devcluster up"
	is_ours || die "$EX_FAIL" "$DIR is not a cluster's folder" \
		"it has no $MARKER file of yours; name another one with --dir"
	if ! read_options || ! cluster_runs; then
		die "$EX_DOWN" "the cluster in $DIR does not run" "devcluster up"
	fi
}

need_host()
{
	local host

	for host in ctl login $(node_names); do
		[[ $host != "$1" ]] || return 0
	done
	usage_error "no host $1; there are: ctl login $(node_names | xargs)"
}

# The folder's marker and our lock on it; a folder that has other things in it
# is left alone.
claim_folder()
{
	mkdir -p "$DIR" || die "$EX_FAIL" "cannot make $DIR"
	lock_cluster
	is_ours && return
	[[ -z $(ls -A "$DIR") ]] || die "$EX_FAIL" \
		"$DIR exists and is not a cluster's folder" "name another one with --dir"
	chmod 0755 "$DIR"
	: >"$DIR/$MARKER"
	# The users must be able to come here.
	setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$DIR/" ||
		die "$EX_FAIL" "$DIR cannot be reached by ordinary users" \
			"use --dir with a folder whose parents all let others pass (o+x)"
}

choose_ports()
{
	local port=$((20000 + $(cksum <<<"$DIR" | cut -d' ' -f1) % 20000))

	BASE_PORT=6817
	[[ $NAMESPACES != yes ]] || return 0
	while ss -Htln "sport >= :$port and sport <= :$((port + 64))" | grep -q .; do
		port=$((port + 97))
	done
	BASE_PORT=$port
}

# What was asked for, against what runs.
check_same()
{
	local key

	for key in "${!ASKED[@]}"; do
		[[ ${ASKED[$key]} == "${!key}" ]] || die "$EX_FAIL" \
			"the cluster in $DIR is up with ${key,,} = ${!key}" \
			"devcluster down first, or another --dir"
	done
}

verb_up()
{
	local key value started=$EPOCHREALTIME

	need_root
	need_slurm
	claim_folder
	find_weft
	if read_options && cluster_runs; then
		check_same
		install_weft
		if all_usable && has_all; then
			say "already up: $DIR"
			return
		fi
		say "already up, but not all of it: repairing"
	else
		if [[ -e $DIR/run ]]; then
			say "left over from an earlier run: removed, homes kept"
			stop_all
			clear_folder home
		fi
		CPU_NODES=2 GPU_NODES=2 CPUS_PER_NODE=16 SLURMD_TIMEOUT=10
		NAMESPACES=yes HOOK=none
		for key in "${!ASKED[@]}"; do
			printf -v "$key" '%s' "${ASKED[$key]}"
		done
		((CPU_NODES + GPU_NODES > 0)) || usage_error "no nodes asked for"
		if [[ $NAMESPACES == yes ]] && ! namespaces_work; then
			NAMESPACES=no
			warn "no namespaces can be had here: all nodes on this host"
		fi
		choose_ports
		write_config
		install_weft
	fi
	start_missing || die "$EX_FAIL" "the cluster did not start" \
		"logs are in $DIR/log; devcluster down removes all of it"
	await_nodes 30 || die "$EX_FAIL" "not all nodes came up" \
		"logs are in $DIR/log; devcluster down removes all of it"
	value=$(((${EPOCHREALTIME/./} - ${started/./}) / 100000))
	say "up in ${value%?}.${value: -1} s: $DIR"
	describe
}

describe()
{
	say "  nodes    $(node_names | xargs), $CPUS_PER_NODE CPUs each (claimed)"
	if [[ $NAMESPACES == yes ]]; then
		say "  users    alice, bob (in the cluster only)"
		say "  scratch  /scratch, a node's own"
	else
		say "  users    alice is $(lent_account alice), bob is $(lent_account bob)"
		say "  scratch  $DIR/scratch, shared by all nodes: they are one host"
	fi
	if [[ -e $DIR/lib/weft.so ]]; then
		say "  weft     $DIR/bin/weft, $(cat "$DIR/plugstack.conf.d/weft.conf")"
	else
		say "  weft     none (--build DIR adds it)"
	fi
	say "  daemons  run as root, for simplicity; a site would not"
}

has_all()
{
	local host

	daemon_runs munged && daemon_runs slurmctld || return 1
	for host in $(node_names); do
		daemon_runs "slurmd.$host" || return 1
	done
	[[ $NAMESPACES != yes ]] || host_whole login
}

# Finds the build to copy: --plugin, --build, --prefix, or the checkout's own.
find_weft()
{
	local prefix=${PREFIX:-} found

	[[ -z $NO_WEFT ]] || return 0
	if [[ -n $prefix ]]; then
		WEFT=$prefix/bin/weft
		found=$(find "$prefix" -name weft.so -path '*slurm*' | head -n 1)
		PLUGIN=${PLUGIN:-$found}
	elif [[ -n ${BUILD:-} ]]; then
		WEFT=$BUILD/weft found=$BUILD/weft.so
		# Beside a sanitized weft: the weft.so that srun can load.
		[[ ! -e $BUILD/plain/weft.so ]] || found=$BUILD/plain/weft.so
		PLUGIN=${PLUGIN:-$found}
	elif [[ -e $TOP/build/weft && -e $TOP/build/weft.so ]]; then
		WEFT=$TOP/build/weft PLUGIN=${PLUGIN:-$TOP/build/weft.so}
	fi
	if [[ $PLUGIN == */weft.so && -e ${PLUGIN%/*}/job_submit_weft.so ]]; then
		SUBMIT_PLUGIN=${PLUGIN%/*}/job_submit_weft.so
	fi
	[[ -z $WEFT || -x $WEFT ]] || usage_error "no weft command: $WEFT"
	[[ -z $PLUGIN || -r $PLUGIN ]] || usage_error "no plug-in: $PLUGIN"
}

# clear_folder [KEEP]: empties the folder but for the marker and KEEP.
clear_folder()
{
	find "$DIR" -mindepth 1 -maxdepth 1 ! -name "$MARKER" \
		! -name "${1:-$MARKER}" -exec rm -rf --one-file-system {} +
}

verb_down()
{
	need_root
	if [[ ! -e $DIR ]]; then
		say "nothing to do: no $DIR"
		return
	fi
	if ! is_ours; then
		[[ -d $DIR && -z $(ls -A "$DIR") ]] || die "$EX_FAIL" \
			"$DIR is not a cluster's folder: left alone" \
			"it has no $MARKER file of yours"
	fi
	lock_cluster
	read_options || NAMESPACES=yes
	stop_all
	clear_folder
	rm -f "$DIR/$MARKER"
	rmdir "$DIR" || die "$EX_FAIL" "cannot remove all of $DIR"
	say "down: $DIR removed"
}

verb_sh()
{
	local uid gid home drop=() enter=() pid shell=(/bin/bash --norc) account

	need_cluster
	need_host "$NODE"
	account=$LOGIN
	[[ $NAMESPACES == yes ]] || account=$(lent_account "$LOGIN")
	IFS=: read -r _ _ uid gid _ home _ < <(on "$NODE" getent passwd "$account") ||
		die "$EX_DOWN" "no user $LOGIN on $NODE, or $NODE does not run" \
			"users: alice, bob, root; devcluster start-node $NODE"
	[[ $account == "$LOGIN" ]] || home=$DIR/home/$LOGIN
	if [[ $NAMESPACES == yes ]]; then
		pid=$(init_pid "$NODE")
		enter=("${ENTER[@]}" -t "$pid" --)
	fi
	# Ends with us when a test's time limit ends us.
	drop=(setpriv --pdeathsig TERM)
	((uid == 0)) || drop+=(--reuid "$uid" --regid "$gid" --init-groups)
	((${#COMMAND[@]} == 0)) || shell=("${COMMAND[@]}")
	exec "${enter[@]}" env -i PATH="$DIR/bin:/usr/bin:/bin" HOME="$home" \
		USER="$account" LOGNAME="$account" SHELL=/bin/bash \
		LANG="${LANG:-C.UTF-8}" TERM="${TERM:-dumb}" \
		PS1="$LOGIN@$NODE:\\w\\\$ " SLURM_CONF="$DIR/etc/slurm.conf" \
		WEFT_CONF="$DIR/etc/weft.conf" "${drop[@]}" \
		env --chdir="${CHDIR:-$home}" "${shell[@]}"
}

verb_status()
{
	local node state rc=0 first=yes pid
	local -A slurm=()

	need_cluster
	while read -r node state; do slurm[$node]=$state; done < <(node_states)
	all_usable && has_all || rc=1
	if [[ $JSON ]]; then
		printf '{"dir": "%s", "namespaces": %s, "slurm_conf": "%s", ' \
			"$DIR" "$([[ $NAMESPACES == yes ]] && echo true || echo false)" \
			"$DIR/etc/slurm.conf"
		printf '"healthy": %s, "users": {"alice": %d, "bob": %d}, "hosts": [' \
			"$( ((rc)) && echo false || echo true)" "$ALICE_UID" "$BOB_UID"
	else
		say "cluster in $DIR"
		describe
		printf '\n%-8s %-14s %-10s %s\n' HOST ADDRESS STATE PID
	fi
	for node in ctl login $(node_names); do
		[[ $node != login || $NAMESPACES == yes ]] || continue
		case $node in
		ctl) pid=$(recorded_pid "$DIR/run/slurmctld.daemon") ;;
		login) pid=$(init_pid login) ;;
		*) pid=$(recorded_pid "$DIR/run/slurmd.$node.daemon") ;;
		esac
		state=${slurm[$node]:-$([[ $pid ]] && echo running || echo down)}
		if [[ $JSON ]]; then
			[[ $first ]] || printf ', '
			printf '{"name": "%s", "address": "%s", "state": "%s", "pid": %s}' \
				"$node" "$(shown_address "$node")" "$state" "${pid:-null}"
			first=
		else
			printf '%-8s %-14s %-10s %s\n' "$node" \
				"$(shown_address "$node")" "$state" "${pid:--}"
		fi
	done
	[[ ! $JSON ]] || printf ']}\n'
	return "$rc"
}

shown_address()
{
	[[ $NAMESPACES == yes ]] && host_address "$1" || echo 127.0.0.1
}

# Cuts the node off, then ends all that runs on it, as a loss of power would;
# or ends slurmd alone. Of ctl, it is slurmctld that is killed.
verb_kill_node()
{
	local ctl

	need_root
	need_cluster
	need_host "$NODE"
	lock_cluster
	if [[ $NODE == ctl ]]; then
		kill_recorded "$DIR/run/slurmctld.daemon"
	elif [[ $SLURMD_ONLY || $NAMESPACES != yes ]]; then
		kill_recorded "$DIR/run/slurmd.$NODE.daemon"
	else
		ctl=$(init_pid ctl)
		nsenter -t "$ctl" --net -- ip link set "$NODE" down 2>/dev/null
		kill_recorded "$DIR/run/$NODE.init"
	fi
	say "killed: $NODE"
}

verb_start_node()
{
	need_root
	need_cluster
	need_host "$NODE"
	lock_cluster
	if [[ $NAMESPACES == yes ]] && ! host_whole "$NODE"; then
		has_record "$NODE" || host_start "$NODE"
		if ! host_await "$NODE" || ! host_connect "$NODE"; then
			die "$EX_FAIL" "cannot start host $NODE"
		fi
	fi
	case $NODE in
	login) ;;
	ctl) slurmctld_start ;;
	*) slurmd_start "$NODE" ;;
	esac
	say "started: $NODE"
}

slow_down()
{
	nsenter -t "$1" --net -- tc qdisc replace dev "$2" root \
		tbf rate "$LINK" burst 128kb latency 50ms ||
		die "$EX_FAIL" "tc could not set the rate of $NODE"
}

# Both directions: the host's own end, and the bridge's port to it.
verb_link()
{
	local ctl pid

	need_root
	need_cluster
	need_host "$NODE"
	[[ $NAMESPACES == yes ]] || die "$EX_HERE" \
		"links need namespaces: here all nodes are one host"
	[[ $NODE != ctl ]] || usage_error "ctl has no link: it is the bridge"
	lock_cluster
	ctl=$(init_pid ctl)
	pid=$(init_pid "$NODE") || die "$EX_DOWN" "$NODE does not run" \
		"devcluster start-node $NODE"
	case $LINK in
	down)
		nsenter -t "$ctl" --net -- ip link set "$NODE" down
		;;
	up)
		nsenter -t "$ctl" --net -- ip link set "$NODE" up
		nsenter -t "$ctl" --net -- tc qdisc del dev "$NODE" root 2>/dev/null
		nsenter -t "$pid" --net -- tc qdisc del dev eth0 root 2>/dev/null
		;;
	*)
		[[ $LINK =~ ^[0-9]+[kmg]?bit$ ]] ||
			usage_error "a link is up, down or a rate such as 100mbit"
		slow_down "$ctl" "$NODE" && slow_down "$pid" eth0
		;;
	esac
	say "link of $NODE: $LINK"
}
