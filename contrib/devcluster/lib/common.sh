# shellcheck shell=bash
# Messages, checks, and the identity of the processes that the cluster owns.

# Exit statuses, as in --help.
# shellcheck disable=SC2034 # used by the other parts
readonly EX_FAIL=1 EX_HERE=2 EX_DOWN=3 EX_USAGE=64

# The file that says that a folder is a cluster's; `down` removes no other.
readonly MARKER=.weft-devcluster

say()
{
	[[ ${QUIET:-} ]] || printf '%s\n' "$*"
}

warn()
{
	printf 'devcluster: %s\n' "$*" >&2
}

# die STATUS MESSAGE [HINT]
die()
{
	warn "$2"
	[[ -z ${3:-} ]] || printf '  %s\n' "$3" >&2
	exit "$1"
}

usage_error()
{
	die "$EX_USAGE" "$1" "devcluster --help tells the usage"
}

need_number()
{
	[[ $2 =~ ^[0-9]{1,5}$ ]] || usage_error "$1 takes a number, not '$2'"
	(($2 >= $3 && $2 <= $4)) || usage_error "$1 takes $3 to $4, not $2"
}

# The folder's name is written into slurm.conf and plugstack.conf, which know
# no quoting, and holds sockets, whose paths have at most 107 bytes.
check_dir_name()
{
	[[ $DIR == /* ]] || DIR=$PWD/$DIR
	[[ $DIR =~ ^/[A-Za-z0-9._/+-]+$ ]] ||
		usage_error "--dir $DIR: only letters, digits and ._/+- can be used"
	((${#DIR} <= 80)) || usage_error "--dir $DIR: longer than 80 characters"
	[[ ! $DIR =~ (^|/)\.\.?(/|$) ]] ||
		usage_error "--dir $DIR: give it without . and .."
	DIR=${DIR%/}
}

is_ours()
{
	[[ -f $DIR/$MARKER && -O $DIR/$MARKER ]]
}

need_root()
{
	((EUID == 0)) || die "$EX_HERE" "a Slurm cluster of its own needs root" \
		"run it as root, or use weft without Slurm: weft run --local FILE"
}

need_slurm()
{
	local tool missing=()

	for tool in slurmctld slurmd srun scontrol munged ip nsenter unshare \
		setpriv flock pivot_root; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	((${#missing[@]} == 0)) || die "$EX_HERE" "not installed: ${missing[*]}" \
		"apt-get install slurmctld slurmd slurm-client munge iproute2 util-linux"
}

# Everything that changes the cluster holds this lock. It is on the folder
# itself, so that no file is left beside it.
lock_cluster()
{
	local i

	for ((i = 0; i < 10; i++)); do
		exec 9<"$DIR" || die "$EX_FAIL" "cannot open $DIR"
		flock -w 60 9 || die "$EX_FAIL" "another devcluster works on $DIR"
		# Whoever held the lock may have removed the folder.
		[[ /proc/self/fd/9 -ef $DIR ]] && return
		[[ -d $DIR ]] || mkdir -p "$DIR"
	done
	die "$EX_FAIL" "$DIR comes and goes: another devcluster works on it"
}

# A process is named by its id, the time it started, its process namespace
# and this boot: an id alone may belong to someone else by now.
proc_identity()
{
	local stat rest ns boot

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	rest=${stat##*) }
	# shellcheck disable=SC2086 # fields are wanted
	set -- "$1" $rest
	[[ $2 != Z && $2 != X ]] || return 1
	ns=$(readlink "/proc/$1/ns/pid") || return 1
	read -r boot </proc/sys/kernel/random/boot_id
	printf '%s %s %s %s\n' "$1" "${21}" "$ns" "$boot"
}

# recorded_pid FILE: the id in FILE, if that very process still runs.
recorded_pid()
{
	local line pid

	[[ -r $1 ]] && read -r line <"$1" || return 1
	pid=${line%% *}
	[[ $pid =~ ^[0-9]+$ && $line == "$(proc_identity "$pid")" ]] || return 1
	printf '%s\n' "$pid"
}

# record_pid PID FILE
record_pid()
{
	proc_identity "$1" >"$2.tmp" && mv "$2.tmp" "$2"
}

# wait_for SECONDS COMMAND...: polls until COMMAND succeeds or time is up.
wait_for()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.05
	done
}

# Starts a command in a session of its own that holds none of our files: a
# daemon must keep neither our lock nor the pipe that our caller reads, nor a
# folder that someone wants to unmount.
spawn()
{
	local log=$1 fd

	shift
	(
		cd /
		exec </dev/null >>"$log" 2>&1
		for fd in /proc/"$BASHPID"/fd/*; do
			fd=${fd##*/}
			((fd <= 2 || fd == 255)) || exec {fd}>&-
		done
		exec setsid "$@"
	) &
}
