#!/bin/sh
# faults.sh - weft stage: whatever happens meanwhile, the copy is whole or not there
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

shim=$BUILD/tests/faulty.so
if [ "$VARIANT" = san ]; then
	t_skip "faults" "a sanitized command takes no preloaded library"
	t_done
fi
rounds=${WEFT_TEST_KILLS:-5}
# In memory where it is: much is copied.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
	work=$(mktemp -d /dev/shm/weft-test.XXXXXX)
	trap 'rm -rf "$T_TMP" "$work"' EXIT
else
	work=$T_TMP
fi
cd "$work" || exit 1

parts() { find . -maxdepth 1 -name '.weft-part.*' | wc -l; }
faulty() { # FAULTS COMMAND...
	f=$1
	shift
	FAULTY=$f LD_PRELOAD=$shim "$@"
}
json() { printf '%s' "$T_OUT" | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
same() { t_run 0 "$1" diff -r --no-dereference "$2" "$3"; }

mkdir -p t/many t/deep/er/still
head -c 50000000 /dev/urandom >t/big
head -c 20000000 /dev/urandom >t/deep/er/large
for i in $(seq 400); do head -c "$((i * 97))" t/big >t/many/"$i"; done
cp t/many/7 t/deep/er/still/x
ln t/many/9 t/deep/link
truncate -s 40M t/holes
printf 'end' | dd of=t/holes bs=1 seek=39000000 conv=notrunc 2>/dev/null
total=$(find t -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')

# ---- killed, then again
bad=0 went_on=0
for i in $(seq "$rounds"); do
	at=$(awk -v s="$i$$" 'BEGIN { srand(s); print int(rand() * 75000000) }')
	faulty "kill:$at" "$WEFT" stage cp t k >/dev/null 2>&1
	if [ -e k ]; then
		diff -r --no-dereference t k >/dev/null || bad=$((bad + 1))
	else
		left=$(parts)
		[ "$left" -gt 0 ] || bad=$((bad + 1))
	fi
	T_OUT=$("$WEFT" stage cp --json t k) || bad=$((bad + 1))
	[ "$(json resumed)" -eq 0 ] || went_on=$((went_on + 1))
	diff -r --no-dereference t k >/dev/null || bad=$((bad + 1))
	"$WEFT" stage verify -q k || bad=$((bad + 1))
	[ "$(parts)" -eq 0 ] || bad=$((bad + 1))
	[ "$(stat -c '%h' k/many/9)" -eq 2 ] || bad=$((bad + 1))
	rm -rf k
done
t_is "killed $rounds times: absent or whole, then whole" "$bad" 0
t_is "some went on from what there was" "$(test "$went_on" -gt 0 && echo yes)" yes

faulty kill:70000000 "$WEFT" stage cp t k >/dev/null 2>&1
t_is "killed at 90 %: absent" "$(test -e k || echo absent)" absent
# What the killed one has left is no longer what the source is.
rm t/many/400 && echo changed >t/many/1 && mkdir t/new && echo new >t/new/file
t_run 0 "again" "$WEFT" stage cp --json t k
t_is "copies at most 15 % again" "$(json moved | awk -v t="$total" '{ print $1 <= 0.15 * t }')" 1
same "and is whole, without what went meanwhile" t k
rm -rf k
# A bit of it flipped meanwhile: read again, it isn't taken.
faulty kill:45000000 "$WEFT" stage cp t/big k >/dev/null 2>&1
printf 'X' | dd of="$(echo .weft-part.k.*[0-9])" bs=1 seek=1000000 conv=notrunc 2>/dev/null
printf 'torn' >>"$(echo .weft-part.k.*.j)"
t_run 0 "damaged leftovers" "$WEFT" stage cp --json t/big k
t_is "are used where they are whole" "$(test "$(json resumed)" -gt 0 && echo yes)" yes
t_run 0 "and nowhere else" cmp t/big k
t_is "nothing is left" "$(parts)" 0
rm -f k

# ---- told to end
t_run 7 "SIGTERM" faulty term:30000000 "$WEFT" stage cp t k
t_is "leaves nothing" "$(parts) $(test -e k || echo absent)" "0 absent"
t_run 7 "with --partial" faulty term:60000000 "$WEFT" stage cp --partial t k
t_has "it says what to do" "$T_OUT" "the same command goes on"
t_run 0 "which goes on" "$WEFT" stage cp --json t k
t_is "there" "$(test "$(json resumed)" -gt 0 && echo yes)" yes
same "to the end" t k
rm -rf k

# ---- the file system fails
t_run 5 "a read error" faulty read-eio:many/77 "$WEFT" stage cp t k
t_has "names the file" "$T_OUT" "t/many/77: Input/output error"
t_run 5 "in a large file" faulty read-eio:t/big "$WEFT" stage cp t k
t_has "too" "$T_OUT" "t/big: Input/output error"
t_run 5 "a server that has lost the file" faulty read-stale:many/77 "$WEFT" stage cp t k
t_has "is told, too" "$T_OUT" "t/many/77: Stale file handle"
for f in t t/big; do
	t_run 5 "a disk that fails late, $f" faulty sync:5 "$WEFT" stage cp "$f" k
	t_has "is told" "$T_OUT" "making the copy of $f durable: Input/output error"
	t_is "and nothing has the name" "$(parts) $(test -e k || echo absent)" "0 absent"
	t_run 5 "no quota, told on closing, $f" faulty close:122 "$WEFT" stage cp --durable none "$f" k
	t_has "is an error" "$T_OUT" "quota"
	t_is "and nothing has the name" "$(parts) $(test -e k || echo absent)" "0 absent"
done
# On a disk what is there already is flushed meanwhile.
mkdir "$T_TMP/flushed"
for i in $(seq 75); do head -c 1000000 t/big >"$T_TMP/flushed/$i"; done
t_run 5 "a flush that fails before the last one" \
	faulty sync-once:5 "$WEFT" stage cp "$T_TMP/flushed" "$T_TMP/k"
t_has "is told" "$T_OUT" "durable: Input/output error"
t_is "and nothing has the name" "$(test -e "$T_TMP/k" || echo absent)" absent
t_run 0 "without one" "$WEFT" stage cp -q "$T_TMP/flushed" "$T_TMP/k"
same "all is there" "$T_TMP/flushed" "$T_TMP/k"
rm -rf "$T_TMP/flushed" "$T_TMP/k"
t_run 5 "no quota" faulty write:122 "$WEFT" stage cp t k
t_has "is told" "$T_OUT" "quota"
t_run 5 "a write error" faulty write:5 "$WEFT" stage cp t k
t_is "and nothing is left" "$(parts) $(test -e k || echo absent)" "0 absent"
t_run 0 "short and interrupted calls" faulty short "$WEFT" stage cp -q t/many k
same "make no difference" t/many k
t_run 0 "also to" faulty short "$WEFT" stage verify k
rm -rf k
for n in 18 22 95 0; do
	t_run 0 "copy_file_range fails: $n" faulty "range:$n" "$WEFT" stage cp -q --strategy server t k
	same "falls back" t k
	rm -rf k
done
t_run 5 "copy_file_range lies" faulty range-lies "$WEFT" stage cp --strategy server t k
t_is "is noticed" "$(parts) $(test -e k || echo absent)" "0 absent"
t_run 0 "copy_file_range that works" "$WEFT" stage cp -q --strategy server t k
same "serves" t k
rm -rf k
t_run 0 "a file system that lies about holes" faulty holes "$WEFT" stage cp -q t k
same "isn't believed" t k
rm -rf k
t_run 0 "a kernel without openat2" faulty no-openat2 "$WEFT" stage cp -q t k
same "serves, too" t k
rm -rf k

# ---- the source changes
hook() { # FAULT HOOK COMMAND...
	f=$1 h=$2
	shift 2
	FAULTY_HOOK=$h faulty "$f" "$@"
}
mkdir s && cp t/many/300 s/a && cp t/big s/b && touch -d 2001-01-01 s/a s/b s
for f in a b; do
	cp -a s s0
	t_run 0 "$f grows once" hook before:s/$f "echo more >>s/$f" "$WEFT" stage cp --json s k
	t_is "it is copied again" "$(json retries)" 1
	same "as it is now" s k
	rm -rf s k && mv s0 s && cp -a s s0
	t_run 0 "$f is cut once" hook before:s/$f "truncate -s -5 s/$f" "$WEFT" stage cp --json s k
	same "as it is now" s k
	rm -rf s k && mv s0 s && cp -a s s0
	t_run 0 "$f is rewritten, with its time put back" hook before:s/$f \
		"printf XYZ | dd of=s/$f bs=1 conv=notrunc 2>/dev/null; touch -d 2001-01-01 s/$f" \
		"$WEFT" stage cp --json s k
	t_is "it is copied again" "$(json retries)" 1
	same "as it is now" s k
	rm -rf s k && mv s0 s && cp -a s s0
	t_run 0 "$f is replaced" hook before:s/$f "echo other >s/n; mv s/n s/$f" \
		"$WEFT" stage cp --json s k
	same "as it is now" s k
	rm -rf s k && mv s0 s && cp -a s s0
	t_run 0 "$f is removed" hook before:s/$f "rm s/$f" "$WEFT" stage cp --json s k
	same "as it is now" s k
	rm -rf s k && mv s0 s && cp -a s s0
	t_run 5 "$f changes all the time" hook always:s/$f "echo more >>s/$f" \
		"$WEFT" stage cp s k
	t_has "it is told" "$T_OUT" "s/$f changed while it was copied"
	t_run 5 "alone, too" hook always:s/$f "echo more >>s/$f" "$WEFT" stage cp s/$f k
	t_is "and nothing is left" "$(parts) $(test -e k || echo absent)" "0 absent"
	rm -rf s && mv s0 s
done

# ---- no room
if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
	for o in size=8m nr_inodes=100; do
		T_OUT=$(unshare --mount sh -c '
			mkdir -p small && mount -t tmpfs -o "$1" none small || exit 9
			"$2" stage cp t small/k; echo "status $?, $(ls -A small | wc -l) left"
			"$2" stage cp -q t/many/1 small/k; echo "then $?, $(ls small)"' \
			sh "$o" "$WEFT" 2>&1)
		t_has "no room ($o)" "$T_OUT" "no space for small/k: "
		t_has "leaves nothing" "$T_OUT" "status 5, 0 left"
		t_has "and hurts no later copy" "$T_OUT" "then 0, k"
	done
	t_has "inodes are told" "$T_OUT" " inodes needed, "
	T_OUT=$(unshare --mount sh -c '
		mkdir -p small && mount -t tmpfs -o ro none small || exit 9
		"$1" stage cp t/many/1 small/k; echo "status $?"' sh "$WEFT" 2>&1)
	t_has "a read-only place" "$T_OUT" "Read-only file system"
	t_has "is an error" "$T_OUT" "status 5"
else
	t_skip "no room" "needs root to mount small file systems"
fi

# ---- a file system without flags for renaming, hard links or locks
mkdir plain && echo 1 >plain/one && echo other >taken
for f in no-flags "no-flags no-links" "no-flags no-links no-locks"; do
	t_run 0 "a folder ($f)" faulty "$f" "$WEFT" stage cp plain p1
	same "is whole" plain p1
	t_run 0 "a file" faulty "$f" "$WEFT" stage cp plain/one p2
	t_is "is whole" "$(cat p2)" 1
	t_run 5 "a name that is taken" faulty "$f" "$WEFT" stage cp plain/one taken
	t_is "stays" "$(cat taken)" other
	t_run 5 "by a folder, too" faulty "$f" "$WEFT" stage cp plain taken
	t_run 0 "unless it is to go" faulty "$f" "$WEFT" stage cp --replace plain p2
	same "for what is whole" plain p2
	t_is "nothing is left" "$(parts)" 0
	rm -rf p1 p2 .weft-*
done
rm -rf plain taken

# ---- attributes that are the place's, as Lustre and NFSv4 have them on each file
mkdir place && echo 1 >place/one && echo 2 >place/two
entry() { # FLAGS WHO: as NFSv4 sends it
	python3 -c 'import struct, sys
who = sys.argv[2].encode()
print((struct.pack(">IIII", 0, int(sys.argv[1], 0), 0x120081, len(who)) + who + b"\0" * (-len(who) % 4)).hex(), end="")' "$@"
}
own="$(entry 0 OWNER@)$(entry 0x40 GROUP@)$(entry 0 EVERYONE@)"
t_run 0 "files with a layout of their server" faulty attr:lustre.lov "$WEFT" stage cp --json place place1
t_is "lose nothing elsewhere" "$(json attributes_not_kept)" 0
export FAULTY_ATTR=00000003$own
t_run 0 "ACLs that say what the mode does" faulty attr:system.nfs4_acl "$WEFT" stage cp --json place place2
t_is "aren't missed" "$(json attributes_not_kept)" 0
FAULTY_ATTR="00000004$own$(entry 0 alice@site)"
t_run 0 "ACLs that name somebody" faulty attr:system.nfs4_acl "$WEFT" stage cp --json place place3
t_is "are: of two files and a folder" "$(json attributes_not_kept)" 3
FAULTY_ATTR="00000003$(entry 0x3 OWNER@)$(entry 0x40 GROUP@)$(entry 0 EVERYONE@)"
t_run 0 "and so are those that pass on" faulty attr:system.nfs4_acl "$WEFT" stage cp --json place/one place4
t_is "to what is new" "$(json attributes_not_kept)" 1
export FAULTY_ATTR=00000003ffffffff
t_run 0 "what is no ACL" faulty attr:system.nfs4_acl "$WEFT" stage cp place/one place5
t_has "is told" "$T_OUT" "could not be kept"
unset FAULTY_ATTR
rm -rf place*

t_done
