#!/bin/bash
# A job's scratch: root makes it below a folder where users write, and removes what
# users left there without touching anything but it.  No Slurm is needed.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

T_OUT=$("$WEFT" node nothing 2>&1)
t_is "an unknown part" $? 2
if [ "$(id -u)" -ne 0 ]; then
	t_run 2 "not root" "$WEFT" node prolog
	t_skip "scratch" "needs root"
	t_done
fi

# Ordinary users run the copy; nobody but root can have written the conf.
own=$(t_root_dir) || exit 1
trap 'rm -rf "$own" "$T_TMP"' EXIT
chmod 755 "$T_TMP"
cp "$WEFT" "$own/weft" && chmod 755 "$own/weft"
export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" # the child sees no environment
scratch=$T_TMP/scratch
memory=$T_TMP/memory
mkdir -m 1777 "$scratch" "$memory"
printf 'scratch = %s\nmemory = %s\n' "$scratch" "$memory" >"$own/weft.conf"
alice=61001 bob=61002
as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }
part() { # part prolog|epilog JOB UID
	env -i PATH=/usr/bin:/bin WEFT_CONF="$own/weft.conf" ASAN_OPTIONS="$ASAN_OPTIONS" \
		SLURM_JOB_ID="$2" SLURM_JOB_UID="$3" SLURM_JOB_GID="$3" "$own/weft" node "$1"
}
job=$scratch/weft/7

t_run 0 "epilog without a prolog" part epilog 7 $alice
t_is "says nothing" "$T_OUT" ""
t_run 0 "prolog" part prolog 7 $alice
t_is "the folder is the user's alone" "$(stat -c '%u %g %a' "$job")" "$alice $alice 700"
t_is "above it is root's" "$(stat -c '%u %a' "$scratch/weft")" "0 755"
as $alice touch "$job/data"
t_run 0 "prolog again, as slurmd was restarted" part prolog 7 $alice
t_is "keeps the data" "$(ls "$job")" data
t_run 0 "a number used again by another user" part prolog 7 $bob
t_is "is the new one's" "$(stat -c '%u' "$job") $(ls "$job")" "$bob "
t_run 0 "epilog" part epilog 7 $bob
t_is "it is gone" "$(ls -A "$scratch/weft")" ""

# The same in memory.
part prolog 7 $alice
t_is "a folder in memory" "$(stat -c '%u %a' "$memory/weft/7")" "$alice 700"
as $alice touch "$memory/weft/7/data"
part epilog 7 $alice
t_is "goes, too" "$(ls -A "$memory/weft")" ""
mv "$memory" "$memory.off"
t_run 0 "without one" part prolog 7 $alice
t_has "it is told" "$T_OUT" "$memory"
t_is "and scratch is made all the same" "$(stat -c '%u' "$job")" $alice
mv "$memory.off" "$memory" && part epilog 7 $alice

# A node that went down: no Epilog has run.
part prolog 7 $alice && part prolog 8 $bob
as $alice touch "$job/data" && as $bob touch "$scratch/weft/8/data"
printf '01234567-0123-0123-0123-0123456789ab' >"$scratch/weft/.7"
part prolog 9 $bob
t_is "what is from before the start goes with the next job" "$(ls -A "$scratch/weft" | tr '\n' ' ')" ".8 .9 8 9 "
printf '01234567-0123-0123-0123-0123456789ab' >"$scratch/weft/.8"
t_run 0 "a job that is requeued after it" part prolog 8 $bob
t_is "begins anew" "$(ls "$scratch/weft/8")" ""
part epilog 8 $bob && part epilog 9 $bob

# Something mounted inside.
if part prolog 9 $alice && as $alice mkdir "$scratch/weft/9/m" && mount --bind "$T_TMP" "$scratch/weft/9/m" 2>/dev/null; then
	t_run 0 "epilog where something is mounted" part epilog 9 $alice
	t_has "says so" "$T_OUT" "removing $scratch/weft/9"
	t_is "and leaves it alone" "$(test -d "$T_TMP/scratch" && echo yes)" yes
	umount "$scratch/weft/9/m"
else
	t_skip "something mounted" "no mounts here"
fi
part epilog 9 $alice

# What a user may leave.
touch "$T_TMP/precious" && chmod 666 "$T_TMP/precious"
mkdir -m 777 "$T_TMP/folder" && as $alice touch "$T_TMP/folder/mine"
part prolog 8 $alice
# shellcheck disable=SC2016
as $alice sh -c 'cd "$1" && mkdir -p a/b/c .hidden && touch a/b/c/f "sp ace" "$(printf "new\nline")" &&
	ln -s "$2/precious" link && ln -s "$2/folder" a/folder && mkfifo fifo &&
	chmod 000 a/b/c a/b a && chmod 000 .' sh "$scratch/weft/8" "$T_TMP"
t_run 0 "epilog on links, fifos and closed folders" part epilog 8 $alice
t_is "all of it is gone" "$(ls "$scratch/weft")" ""
t_is "what links showed is there" "$(find "$T_TMP/folder/mine" "$T_TMP/precious" | wc -l)" 2

# It is the user who removes: what he could not remove stays.
part prolog 9 $alice
mkdir -m 700 "$scratch/weft/9/roots" && touch "$scratch/weft/9/roots/file"
as $alice touch "$scratch/weft/9/data"
t_run 0 "epilog on something of root's" part epilog 9 $alice
t_has "is told" "$T_OUT" "removing $scratch/weft/9"
t_is "root's stays, the user's goes" "$(find "$scratch/weft/9" -type f)" "$scratch/weft/9/roots/file"
rm -rf "$scratch/weft"

# A user was first.
as $alice ln -s "$T_TMP/folder" "$scratch/weft"
t_run 0 "weft is a link" part prolog 10 $alice
t_has "is told" "$T_OUT" "$scratch/weft"
t_is "nothing is made behind it" "$(ls "$T_TMP/folder")" mine
t_run 0 "epilog, too" part epilog 10 $alice
t_is "nothing is removed behind it" "$(ls "$T_TMP/folder")" mine
rm "$scratch/weft"
as $alice mkdir "$scratch/weft"
t_run 0 "weft is a user's folder" part prolog 10 $alice
t_has "is told whose" "$T_OUT" "belongs to uid $alice"
t_is "nothing is made in it" "$(ls "$scratch/weft")" ""
as $alice mkdir "$scratch/weft/10"
t_run 0 "epilog in a user's folder" part epilog 10 $alice
t_is "nothing is removed in it" "$(ls "$scratch/weft")" 10
rm -rf "$scratch/weft"
as $alice touch "$scratch/weft"
t_run 0 "weft is a file" part prolog 10 $alice
t_has "is told" "$T_OUT" "Not a directory"
rm "$scratch/weft"

# Odd environments.
t_run 0 "a number that is a path" part prolog ../../x $alice
t_has "is refused" "$T_OUT" "SLURM_JOB_ID is not a number"
t_run 0 "no number" env -u SLURM_JOB_ID WEFT_CONF="$own/weft.conf" "$own/weft" node prolog
t_has "says so" "$T_OUT" "SLURM_JOB_ID is not set"
t_run 0 "a job of root's" part prolog 11 0
t_is "gets no folder" "$(ls "$scratch")" ""
(umask 077 && part prolog 12 $alice)
t_is "a strict umask" "$(stat -c %a "$scratch/weft")" 755
part epilog 12 $alice
echo "enabled = no" >>"$own/weft.conf"
t_run 0 "switched off" part prolog 13 $alice
t_is "makes nothing" "$(ls "$scratch/weft")" ""
chmod 666 "$own/weft.conf"
t_run 0 "a conf that others can write" part prolog 13 $alice
t_has "is refused" "$T_OUT" "writable by others than root"

t_run 2 "not root" as $alice "$own/weft" node prolog
t_run 2 "empty is not for root" "$own/weft" node empty
echo hello >"$T_TMP/marker"
t_run 0 "check" env -u WEFT_CONF "$own/weft" node check --marker "$T_TMP/marker" --content 'hello
'
t_has "the version" "$T_OUT" "version=$("$WEFT" --version | cut -d' ' -f2)"
t_has "the marker" "$T_OUT" "marker=same"
t_run 0 "check, another file" env CUDA_VISIBLE_DEVICES=0,1 "$own/weft" node check --marker "$T_TMP/marker" --content x
t_has "differs" "$T_OUT" "marker=differs"
t_has "GPUs" "$T_OUT" "cuda=0,1"
t_run 0 "check, no file" "$own/weft" node check --marker "$T_TMP/none"
t_has "missing" "$T_OUT" "marker=missing"
t_run 0 "rank" env PMIX_RANK=3 "$own/weft" node rank
t_is "is the process manager's" "$T_OUT" "rank=3"
t_done
