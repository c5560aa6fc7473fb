#!/bin/bash
# cache.sh - the topology cache: made once, kept while it holds, made anew when it doesn't,
# and never taken from others.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

if [ "$(id -u)" -ne 0 ]; then
	t_run 2 'only root writes it' "$WEFT" topo cache --dir "$T_TMP/c"
	t_skip 'the cache' 'needs root'
	t_done
fi
own=$(t_root_dir) || exit 1
trap 'rm -rf "$own" "$T_TMP"' EXIT
cache=$own/cache/topology
once() { "$WEFT" topo cache --once --dir "$own/cache"; }
# shown: whether `topo show` takes it.
shown() { WEFT_CONF=$own/weft.conf "$WEFT" topo show 2>&1 | sed 's/.*(\(.*\))$/\1/;1q'; }
echo "cache = $own/cache" >"$own/weft.conf"

t_run 0 'made where there is none' once
t_has 'and told' "$T_OUT" "$own/cache/topology: "
t_is 'taken' "$(shown)" cached
t_is 'for root alone to write' "$(stat -c '%U %a' "$cache" "${cache%/*}" | sort -u | paste -sd' ')" 'root 644 root 755'
inode=$(stat -c %i "$cache")
t_run 0 'once is enough' once
t_is 'nothing is said' "$T_OUT" ''
t_is 'nothing is written' "$(stat -c %i "$cache")" "$inode"

# refused NAME WHY SED: not taken once it is changed so, said, and made anew.
refused() {
	cp "$cache" "$T_TMP/good"
	sed -i "$3" "$cache"
	T_OUT=$(WEFT_CONF=$own/weft.conf "$WEFT" topo show 2>&1)
	t_has "$1: said" "$T_OUT" "$2"
	t_has "$1: not taken" "$T_OUT" '(as found now)'
	t_run 0 "$1: once makes it anew" once
	t_is "$1: as it was" "$(cmp "$cache" "$T_TMP/good" 2>&1)" ''
}
refused 'of another boot' 'was made before this boot' 's/^boot ..../boot 0000/'
refused 'of another host' 'was made on elsewhere, this is' '2s/.*/host elsewhere/'
refused 'of another driver' "was made before a GPU's driver" 's/^mark ..../mark 0000/'
refused 'altered' 'is damaged' 's/^core 0 package=0/core 0 package=1/'
refused 'of an older weft' 'not a topology cache' '1s/2$/1/'
refused 'cut short' 'not a topology cache' '3q'
refused 'empty' 'not a topology cache' 'd'

for who in 'chown 65534' 'chmod 666' 'chmod 664'; do
	$who "$cache"
	t_has "after $who: not taken" "$(WEFT_CONF=$own/weft.conf "$WEFT" topo show 2>&1)" '(as found now)'
	t_run 0 "after $who: made anew" once
	t_is "after $who: root's" "$(stat -c '%U %a' "$cache")" 'root 644'
done
chmod 777 "$own/cache"
t_run 2 'a folder that others can write in' once
t_has 'is not used' "$T_OUT" 'writable by others than root'
chmod 755 "$own/cache"
rm "$cache"
mkfifo "$cache"
t_has 'a pipe is not waited for' "$(WEFT_CONF=$own/weft.conf timeout 20 "$WEFT" topo show 2>&1)" '(as found now)'
rm "$cache"

# The Prolog: it never fails, and a job starts without a cache, too.
prolog() {
	env -i PATH="$PATH" WEFT="$WEFT" WEFT_CONF="$own/weft.conf" SLURM_JOB_ID=7 SLURM_JOB_UID=65534 \
		SLURM_JOB_GID=65534 ASAN_OPTIONS="${ASAN_OPTIONS-}" sh "$TOP/contrib/slurm/weft-prolog.sh"
}
mkdir -m 1777 "$own/scratch"
echo "scratch = $own/scratch" >>"$own/weft.conf"
t_run 0 'the Prolog' prolog
t_is 'has made it' "$(shown)" cached
inode=$(stat -c %i "$cache")
t_run 0 'the next one' prolog
t_is 'leaves it' "$(stat -c %i "$cache")" "$inode"
chmod 777 "$own/cache"
t_run 0 'a Prolog that cannot make it' prolog
t_has 'says so' "$T_OUT" 'no topology cache: each step finds the machine anew'
t_is 'and makes the job its folder' "$(stat -c %u "$own/scratch/weft/7")" 65534
chmod 755 "$own/cache"
t_run 2 'once belongs to cache' "$WEFT" topo dump --once
t_done
