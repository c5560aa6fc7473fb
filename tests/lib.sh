# lib.sh - for tests in shell: sourced, never run.  POSIX sh and bash.
#
#   t_ok NAME            a check passed
#   t_fail NAME [MSG]    a check failed, with what was seen
#   t_skip NAME WHY      a check that can't be made here
#   t_is NAME GOT WANT   equal texts
#   t_has NAME TEXT PART TEXT contains PART
#   t_run STATUS NAME CMD...   CMD's exit status; its output is in $T_OUT (both streams)
#   t_until SECONDS CMD...     polls CMD until it is true; false at the deadline
#   t_need_hosts NAME    ends the suite with a skip where the private cluster's nodes
#                        can't be hosts of their own
#   t_cluster NAME OPT.. a private cluster in $DIR until the end of the suite, which is a
#                        skip of NAME where there can be none: `devcluster VERB..` is of
#                        it, `as USER CMD..` runs on its login host
#   t_second_fs NAME     $NODE, a folder in memory until the end of the suite, which is a
#                        skip of NAME where that is no other file system
#   t_python MODULE..    prints a Python that has these; false where there is none
#   t_root_dir           makes and prints a folder that is root's down from /, and whose
#                        programs run, also for others
#   t_done               prints the closing line; exit status 1 if any check failed
#
# $T_TMP is a folder of this test's own, removed at the end; $BUILD the build
# folder (absolute), $WEFT the command, $TOP the top of the tree.
# shellcheck shell=sh disable=SC2034

# Not from git: the tree may be unpacked inside of another one.
TOP=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
WEFT=${WEFT:-$BUILD/weft}
# A suite that is run by itself knows the variant by the folder.
if [ -z "${VARIANT-}" ]; then
	case $BUILD in
	*/san | */debug | */cov) VARIANT=${BUILD##*/} ;;
	*) VARIANT=release ;;
	esac
fi
export VARIANT
T_PASSED=0 T_FAILED=0 T_SKIPPED=0 T_OUT=
T_TMP=$(mktemp -d "${TMPDIR:-/tmp}/weft-test.XXXXXX")
trap 'rm -rf "$T_TMP"' EXIT
trap 'exit 130' INT TERM

t_ok() {
	T_PASSED=$((T_PASSED + 1))
	printf 'ok    %s\n' "$1"
}
t_fail() {
	T_FAILED=$((T_FAILED + 1))
	printf 'FAIL  %s\n' "$1"
	[ -z "${2-}" ] || printf '%s\n' "$2" | head -40 | sed 's/^/      | /'
}
t_skip() {
	T_SKIPPED=$((T_SKIPPED + 1))
	printf 'skip  %s: %s\n' "$1" "$2"
}
t_is() {
	if [ "$2" = "$3" ]; then t_ok "$1"; else t_fail "$1" "got:  $2
want: $3"; fi
}
t_has() {
	case $2 in
	*"$3"*) t_ok "$1" ;;
	*) t_fail "$1" "no '$3' in: $2" ;;
	esac
}
t_run() {
	t_want=$1 t_name=$2
	shift 2
	T_OUT=$("$@" 2>&1) && t_got=0 || t_got=$?
	if [ "$t_got" -eq "$t_want" ]; then
		t_ok "$t_name"
	else
		t_fail "$t_name" "exit status $t_got, not $t_want: $*
$T_OUT"
	fi
}
t_until() {
	t_end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$t_end" ] || return 1
		sleep 0.2
	done
}
t_need_hosts() {
	[ "$(id -u)" -eq 0 ] || return 0
	unshare --mount --net --uts --ipc --pid --fork true 2>/dev/null && return
	t_skip "$1" "needs namespaces: root may make none here (a container?)"
	t_done
}
devcluster() {
	t_verb=$1
	shift
	"$TOP/contrib/devcluster/devcluster" "$t_verb" --dir "$DIR" "$@"
}
as() {
	t_user=$1
	shift
	devcluster sh --user "$t_user" -- "$@"
}
t_cluster() {
	t_name=$1
	shift
	t_need_hosts "$t_name"
	DIR=/var/tmp/weft-test.$$
	trap 'devcluster down >/dev/null 2>&1; rm -rf "$T_TMP"' EXIT
	t_got=0
	devcluster up --build "$BUILD" -q "$@" >"$T_TMP/up.log" 2>&1 || t_got=$?
	case $t_got in
	0) return ;;
	2) t_skip "$t_name" "$(head -n 1 "$T_TMP/up.log")" ;;
	*) t_fail "the cluster comes up" "$(cat "$T_TMP/up.log")" ;;
	esac
	t_done
}
t_second_fs() {
	if ! NODE=$(mktemp -d /dev/shm/weft-test.XXXXXX) ||
		[ "$(stat -c %d "$NODE")" = "$(stat -c %d "$T_TMP")" ]; then
		t_skip "$1" "no second file system here"
		t_done
	fi
	trap 'rm -rf "$T_TMP" "$NODE"' EXIT
}
t_python() {
	for t_program in "${PYTHON:-python3}" /usr/bin/python3; do
		for t_module; do
			"$t_program" -c "import $t_module" 2>/dev/null || continue 2
		done
		command -v "$t_program"
		return
	done
	return 1
}
# /tmp is everyone's; /run is mounted noexec by Debian's initramfs.
t_root_dir() {
	for t_dir in /run /var/lib /opt; do
		t_dir=$(mktemp -d "$t_dir/weft-test.XXXXXX") || continue
		chmod 755 "$t_dir"
		if cp /bin/true "$t_dir/true" && "$t_dir/true"; then
			rm "$t_dir/true"
			echo "$t_dir"
			return
		fi
		rm -rf "$t_dir"
	done 2>/dev/null
	return 1
}
t_done() {
	printf '%d passed, %d failed, %d skipped\n' "$T_PASSED" "$T_FAILED" "$T_SKIPPED"
	[ "$T_FAILED" -eq 0 ]
	exit $?
}
