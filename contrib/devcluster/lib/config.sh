# shellcheck shell=bash
# Writes what an admin would: the accounts, slurm.conf, gres.conf, the plug-in
# line, weft.conf, Prolog and Epilog.

readonly SUBNET=10.213

host_address()
{
	case $1 in
	ctl) echo "$SUBNET.0.1" ;;
	login) echo "$SUBNET.0.2" ;;
	c*) echo "$SUBNET.1.${1#c}" ;;
	g*) echo "$SUBNET.2.${1#g}" ;;
	esac
}

# The hosts that run slurmd.
node_names()
{
	local i

	for ((i = 1; i <= CPU_NODES; i++)); do echo "c$i"; done
	for ((i = 1; i <= GPU_NODES; i++)); do echo "g$i"; done
}

write_options()
{
	local key

	for key in CPU_NODES GPU_NODES CPUS_PER_NODE SLURMD_TIMEOUT NAMESPACES HOOK \
		BASE_PORT ALICE_UID BOB_UID; do
		printf '%s=%s\n' "$key" "${!key}"
	done >"$DIR/etc/options"
}

read_options()
{
	local key value

	[[ -r $DIR/etc/options ]] || return 1
	while IFS='=' read -r key value; do
		[[ $key =~ ^[A-Z_]+$ && $value =~ ^[a-z0-9_]*$ ]] || return 1
		printf -v "$key" '%s' "$value"
	done <"$DIR/etc/options"
}

free_uid()
{
	local uid=$1

	while getent passwd "$uid" >/dev/null || getent group "$uid" >/dev/null; do
		((uid++))
	done
	echo "$uid"
}

# Without namespaces there are no accounts of our own: lend existing ones.
lent_account()
{
	case $1 in
	alice) echo nobody ;;
	bob) echo games ;;
	*) echo "$1" ;;
	esac
}

write_accounts()
{
	local etc=$DIR/etc/host user uid gid

	if [[ $NAMESPACES == yes ]]; then
		ALICE_UID=$(free_uid 61001)
		BOB_UID=$(free_uid $((ALICE_UID + 1)))
		grep -vE '^(alice|bob):' /etc/passwd >"$etc/passwd"
		grep -vE '^(alice|bob|lab):' /etc/group >"$etc/group"
		cat >>"$etc/passwd" <<-END
			alice:x:$ALICE_UID:$ALICE_UID:Alice:$DIR/home/alice:/bin/bash
			bob:x:$BOB_UID:$BOB_UID:Bob:$DIR/home/bob:/bin/bash
		END
		cat >>"$etc/group" <<-END
			alice:x:$ALICE_UID:
			bob:x:$BOB_UID:
			lab:x:$(free_uid $((BOB_UID + 1))):alice,bob
		END
	else
		ALICE_UID=$(id -u "$(lent_account alice)")
		BOB_UID=$(id -u "$(lent_account bob)")
	fi
	for user in alice bob; do
		uid=ALICE_UID
		[[ $user == alice ]] || uid=BOB_UID
		gid=${!uid}
		[[ $NAMESPACES == yes ]] || gid=$(id -g "$(lent_account "$user")")
		install -d -m 0700 -o "${!uid}" -g "$gid" "$DIR/home/$user"
	done
}

write_hosts()
{
	local etc=$DIR/etc/host host

	{
		echo "127.0.0.1 localhost"
		for host in ctl login $(node_names); do
			echo "$(host_address "$host") $host"
		done
	} >"$etc/hosts"
	echo "$(host_address ctl)/16" >"$DIR/etc/bridge"
	# No name server can be reached from within; do not wait for one.
	echo "options timeout:1 attempts:1" >"$etc/resolv.conf"
	cat >"$etc/openmpi/openmpi-mca-params.conf" <<-END
		# The nodes claim more CPUs than the machine has: ranks that wait
		# must let others run.
		mpi_yield_when_idle = 1
		# Ethernet: looking for other networks takes 1.5 s a start.
		pml = ob1
		btl = self,vader,tcp
	END
	ln -sfn "$DIR/etc/slurm.conf" "$etc/slurm/slurm.conf"
	ln -sfn "$DIR/etc/weft.conf" "$etc/weft/weft.conf"
}

write_gres()
{
	local i

	((GPU_NODES > 0)) || return 0
	# Slurm sets CUDA_VISIBLE_DEVICES only for character devices.
	for i in 0 1; do
		[[ -c $DIR/dev/nvidia$i ]] || mknod -m 0666 "$DIR/dev/nvidia$i" c 1 3
	done
	echo "NodeName=g[1-$GPU_NODES] Name=gpu Type=a100" \
		"File=$DIR/dev/nvidia[0-1]" >"$DIR/etc/gres.conf"
}

node_lines()
{
	local node port=$((BASE_PORT + 1)) line

	for node in $(node_names); do
		line="NodeName=$node"
		if [[ $NAMESPACES == yes ]]; then
			line+=" NodeAddr=$(host_address "$node")"
		else
			line+=" NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$port"
			((++port))
		fi
		case $node in
		g*) line+=" Gres=gpu:a100:2 Feature=gpu" ;;
		*) line+=" Feature=cpu" ;;
		esac
		echo "$line"
	done
	((CPU_NODES == 0)) ||
		echo "PartitionName=cpu Nodes=c[1-$CPU_NODES] Default=YES"
	((GPU_NODES == 0)) ||
		echo "PartitionName=gpu Nodes=g[1-$GPU_NODES]$(
			((CPU_NODES > 0)) || echo ' Default=YES')"
}

# CAP_SYS_NICE, capability 23
may_bind_others()
{
	local caps

	caps=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
	((0x$caps >> 23 & 1))
}

write_slurm_conf()
{
	local host=ctl addr sockets=1 cores=$CPUS_PER_NODE name task=affinity

	addr=$(host_address ctl)
	if [[ $NAMESPACES != yes ]]; then
		host=$(hostname) addr=127.0.0.1
	fi
	if ((CPUS_PER_NODE % 2 == 0)); then
		sockets=2 cores=$((CPUS_PER_NODE / 2))
	fi
	# A container's root may not bind the processes of others.
	may_bind_others || task=none
	name=${DIR##*/}
	name=${name//[^A-Za-z0-9]/}
	sed -e "s|@NAME@|${name,,}|g" -e "s|@DIR@|$DIR|g" \
		-e "s|@HOST@|$host|g" -e "s|@ADDR@|$addr|g" \
		-e "s|@PORT@|$BASE_PORT|g" -e "s|@CPUS@|$CPUS_PER_NODE|g" \
		-e "s|@SOCKETS@|$sockets|g" -e "s|@CORES@|$cores|g" \
		-e "s|@TASK@|task/$task|g" -e "s|@TIMEOUT@|$SLURMD_TIMEOUT|g" \
		"$LIB/slurm.conf.in" >"$DIR/etc/slurm.conf"
	hook_lines >>"$DIR/etc/slurm.conf"
	node_lines >>"$DIR/etc/slurm.conf"
}

# Where this machine's Slurm has its plug-ins.
slurm_plugin_dir()
{
	local lib

	lib=$(ldd "$(command -v slurmctld)" | sed -n 's/.*=> \(.*libslurmfull[^ ]*\) .*/\1/p')
	dirname "$(readlink -f "$lib")"
}

hook_lines()
{
	case $HOOK in
	job_submit)
		echo "JobSubmitPlugins=weft"
		echo "PluginDir=$DIR/lib:$(slurm_plugin_dir)"
		;;
	cli_filter) echo "CliFilterPlugins=lua" ;;
	esac
}

# A Prolog that fails drains its node, so a weft without that verb is not asked.
write_prolog()
{
	local verb command="exit 0"

	for verb in prolog epilog; do
		if [[ -x $DIR/bin/weft ]] &&
			"$DIR/bin/weft" node --help >/dev/null 2>&1 </dev/null; then
			command="exec $DIR/bin/weft node $verb"
			command+=" >>$DIR/log/$verb.log 2>&1"
		fi
		cat >"$DIR/etc/$verb.new" <<-END
			#!/bin/sh
			# Makes and removes the job's node-local scratch. Runs as
			# root; Slurm gives it no PATH.
			export WEFT_CONF=$DIR/etc/weft.conf
			$command
		END
		chmod 0755 "$DIR/etc/$verb.new"
		mv "$DIR/etc/$verb.new" "$DIR/etc/$verb"
	done
}

# install_file SOURCE TARGET: replaces TARGET at once, so that a job that
# starts now sees the old one or the new one.
install_file()
{
	install -m 0755 -o root -g root "$1" "$2.new" && mv "$2.new" "$2"
}

# Slurm looks for the controller's half in PluginDir, and for the filter beside
# slurm.conf.
install_hook()
{
	case $HOOK in
	job_submit)
		[[ -z $SUBMIT_PLUGIN ]] ||
			install_file "$SUBMIT_PLUGIN" "$DIR/lib/job_submit_weft.so" ||
			die "$EX_FAIL" "cannot copy $SUBMIT_PLUGIN"
		[[ -e $DIR/lib/job_submit_weft.so ]] ||
			die "$EX_FAIL" "no job_submit_weft.so" "--build DIR names where it is"
		;;
	cli_filter)
		install_file "$TOP/contrib/cli_filter/cli_filter.lua" "$DIR/etc/cli_filter.lua" ||
			die "$EX_FAIL" "cannot copy cli_filter.lua"
		;;
	esac
}

# Copies weft to where ordinary users can run it, wherever the checkout is.
install_weft()
{
	local conf=$DIR/etc/weft.conf scratch=/scratch

	[[ -z $WEFT ]] || install_file "$WEFT" "$DIR/bin/weft" ||
		die "$EX_FAIL" "cannot copy $WEFT"
	[[ -z $PLUGIN ]] || install_file "$PLUGIN" "$DIR/lib/weft.so" ||
		die "$EX_FAIL" "cannot copy $PLUGIN"
	install_hook
	[[ $NAMESPACES == yes ]] || scratch=$DIR/scratch

	if [[ -x $DIR/bin/weft && ! -e $conf ]]; then
		cat >"$conf" <<-END
			command = $DIR/bin/weft
			scratch = $scratch
			mpi = pmix
		END
		chmod 0644 "$conf"
	fi
	if [[ -e $DIR/lib/weft.so ]]; then
		echo "$MODE $DIR/lib/weft.so conf=$conf" \
			>"$DIR/plugstack.conf.d/weft.conf"
	fi
	write_prolog
	[[ -z $BOOT ]] || install_file "$BOOT" "$DIR/etc/boot" ||
		die "$EX_FAIL" "cannot copy $BOOT"
}

write_config()
{
	mkdir -p "$DIR"/{bin,dev,etc/host/{openmpi,slurm,weft},home,lib,log} \
		"$DIR"/{plugstack.conf.d,root,run/munge,spool,state}
	chmod 0700 "$DIR"/{log,root,state}
	[[ $NAMESPACES == yes ]] || install -d -m 1777 "$DIR/scratch"
	echo "include $DIR/plugstack.conf.d/*.conf" >"$DIR/etc/plugstack.conf"
	write_accounts
	write_hosts
	write_gres
	write_slurm_conf
	write_options
	[[ -s $DIR/etc/munge.key ]] ||
		(umask 077 && head -c 1024 /dev/urandom >"$DIR/etc/munge.key")
}
