#!/bin/sh
# cp.sh - weft stage: copies as cp -a makes them, whole or not at all, and their check
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 1
parts() { find "${1:-.}" -maxdepth 1 -name '.weft-part.*' | wc -l; }
# All that cp -a keeps, of a tree, a line a name.
look() {
	(
		cd "$1" && find . -printf '%P\0%y %m %U:%G %s %T@ %l %n\0' | tr '\n\0' '?\n' |
			paste - - | LC_ALL=C sort
	)
}
json() { printf '%s' "$T_OUT" | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# ---- a tree with everything in it
mkdir -p tree/sub/empty tree/d0000 tree/d0555
printf 'one' >tree/one
printf '' >tree/sub/nothing
printf 'x' >"tree/sub/new
line"
printf 'x' >"tree/sub/$(printf '\377\376')"
printf 'x' >tree/sub/-rf
printf 'x' >"tree/sub/ blank %41 "
long=$(printf '%0255d' 0)
printf 'x' >"tree/$long"
printf 'in it' >tree/d0555/file
printf 'secret' >tree/mode0
printf 'x' >tree/setid
chmod 4755 tree/setid
chmod 0000 tree/mode0 tree/d0000
chmod 1777 tree/sub
ln tree/one tree/sub/two
ln tree/one tree/d0555/three
ln -s /nowhere tree/dangling
ln -s ../one tree/sub/up
head -c 20000000 /dev/urandom >tree/big
truncate -s 30M tree/sparse
printf 'middle' | dd of=tree/sparse bs=1 seek=20000000 conv=notrunc 2>/dev/null
touch -d '1901-02-03 04:05:06.123456789 UTC' tree/one
touch -d '1969-12-31 23:59:59.9 UTC' tree/sub/empty
touch -h -d '2001-01-01 01:01:01.000000001 UTC' tree/dangling
chmod 0555 tree/d0555
if [ "$(id -u)" -eq 0 ]; then chown 4321:1234 tree/sub/-rf && chown -h 99:98 tree/sub/up; fi

if [ "$(id -u)" -eq 0 ]; then
	t_run 0 "a tree" "$WEFT" stage cp tree copy
	t_is "is what cp -a makes" "$(look copy)" "$(look tree)"
	t_run 0 "and the same data" diff -r --no-dereference tree copy
	t_is "holes stay" "$(test "$(stat -c %b copy/sparse)" -lt 2000 && echo yes)" yes
	t_run 0 "it verifies" "$WEFT" stage verify copy
else
	chmod 0700 tree/d0000 tree/mode0
	t_run 0 "a tree" "$WEFT" stage cp tree copy
	t_is "is what cp -a makes" "$(look copy)" "$(look tree)"
fi
t_is "no temporary is left" "$(parts)" 0

# ---- attributes and ACLs; what the destination's folder passes on isn't the source's
cat >attrs.py <<'EOF'
import os, struct, sys
def acl(default):
    e = [(1, 6, 2**32 - 1), (2, 4, 1234), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *x) for x in e)
def look(top):
    for d, dirs, files in sorted(os.walk(top)):
        for n in [""] + sorted(files):
            p = os.path.join(d, n)
            names = sorted(os.listxattr(p))
            print(os.path.relpath(p, top), "%o" % os.stat(p).st_mode, [(x, os.getxattr(p, x)) for x in names])
if sys.argv[1] == "look":
    look(sys.argv[2])
else:
    os.makedirs("at/sub")
    for n in "plain", "user", "acl", "many":
        open("at/" + n, "w").write(n)
    os.setxattr("at/user", "user.one", b"\0value")
    for i in range(60):
        os.setxattr("at/many", "user.name%d" % i, b"x" * i)
    os.setxattr("at/sub", "user.folder", b"f")
    os.mkdir("heir")
    os.setxattr("at/acl", "system.posix_acl_access", acl(False))
    os.setxattr("at/sub", "system.posix_acl_default", acl(True))
    os.setxattr("heir", "system.posix_acl_default", acl(True))
EOF
if python3 attrs.py make 2>attrs.err; then
	t_run 0 "attributes and ACLs" "$WEFT" stage cp at at2
	t_is "are kept" "$(python3 attrs.py look at2)" "$(python3 attrs.py look at)"
	t_run 0 "in a folder that passes on an ACL" "$WEFT" stage cp at at/plain heir/
	t_is "they are the source's, too" "$(python3 attrs.py look heir/at)" "$(python3 attrs.py look at)"
	t_is "and so is a single file" "$(stat -c %a heir/plain)" "$(stat -c %a at/plain)"
else
	t_skip "attributes and ACLs" "not on this file system: $(tail -n 1 attrs.err)"
fi

# ---- a terminal is told how far it is
if command -v script >/dev/null 2>&1; then
	# Slowly, so that there is something to tell.
	T_OUT=$(FAULTY=slow:10 LD_PRELOAD=$BUILD/tests/faulty.so script -qec "$WEFT stage cp --threads 1 --no-record tree told" /dev/null </dev/null 2>&1)
	if [ "$VARIANT" = san ]; then
		t_skip "progress" "a sanitized command takes no preloaded library"
	else
		t_has "progress on a terminal" "$T_OUT" " %  "
		t_has "with a rate and the time left" "$T_OUT" "s left"
	fi
else
	t_skip "progress" "no script(1) here"
fi

# ---- threads wait for each other in a folder of many files; more would wait longer
mkdir many && (cd many && head -c 60000 /dev/urandom >seed && seq 3000 | xargs -n 500 -P 2 sh -c 'for i; do head -c 20000 seed >"$i"; done' sh)
t_run 0 "many files that are in memory" "$WEFT" stage cp --json --durable none many many2
t_is "take no more threads than cores" "$(test "$(json threads)" -le "$(nproc)" && echo yes)" yes
t_is "and say what share of the limit they reach" "$(awk -v s="$(json share)" -v l="$(json limit)" 'BEGIN { print (s > 0 && s <= 1 && l > 0) }')" 1
rm -rf many many2 .weft-manifest.many2.*

# ---- again: nothing to do; changed: refused, or replaced
t_run 0 "again" "$WEFT" stage cp --json tree copy
t_is "has nothing to do" "$(json strategy) $(json moved)" "already there 0"
echo more >>tree/one
t_run 5 "a changed source" "$WEFT" stage cp tree copy
t_has "isn't copied over" "$T_OUT" "copy is already there"
t_is "what is there stays" "$(cat copy/one)" one
t_run 0 "unless told to" "$WEFT" stage cp -q --replace tree copy
t_is "then it is the new one" "$(cat copy/sub/two)" "onemore"
t_is "the old one is gone" "$(parts)" 0
t_run 0 "a mode alone" chmod 0600 tree/one
t_run 5 "is a change" "$WEFT" stage cp tree copy

# ---- verify tells each kind of difference
t_run 0 "a copy" "$WEFT" stage cp -q --json tree v
hash=$(json hash)
t_is "its hash is that of any copy" "$("$WEFT" stage cp --json --threads 1 tree v2 |
	python3 -c 'import json,sys; print(json.load(sys.stdin)["hash"])')" "$hash"
t_run 0 "verifies" "$WEFT" stage verify --json v
t_is "by that hash" "$(json hash) $(json different)" "$hash 0"
stamp=$(stat -c %y v/big)
printf 'y' | dd of=v/big bs=1 seek=19000000 conv=notrunc 2>/dev/null
touch -d "$stamp" v/big
t_run 5 "a changed byte" "$WEFT" stage verify v
t_has "is told" "$T_OUT" "other data: big"
t_run 5 "with its time put back it is no unchanged copy" "$WEFT" stage cp tree v
rm v/dangling && ln -s /elsewhere v/dangling && rm v/sub/-rf && touch v/new
t_run 5 "more of it" "$WEFT" stage verify v
t_has "a link" "$T_OUT" "leads elsewhere: dangling"
t_has "a missing file" "$T_OUT" "missing: -rf"
t_has "a new file" "$T_OUT" "not in the record: new"
t_run 5 "without a record" "$WEFT" stage verify tree
t_has "it says so" "$T_OUT" "no record of tree"

# ---- the site's roots hold for copies by hand, too
mkdir -p site/in site/out site/else
echo data >site/in/a1 && echo data >site/in/a2 && ln -s ../else site/in/leads && echo x >site/else/x
cat >roots.conf <<E
[limits]
read_roots = $T_TMP/site/in
write_roots = $T_TMP/site/out
E
t_run 0 "below the site's roots" env WEFT_CONF=roots.conf "$WEFT" stage cp -q 'site/in/a*' site/out/
t_is "a pattern's matches are copied" "$(cat site/out/a1 site/out/a2)" "data
data"
t_run 5 "what isn't below them" env WEFT_CONF=roots.conf "$WEFT" stage cp site/else/x site/out/x
t_has "isn't read" "$T_OUT" "weft may not read there"
t_run 5 "nor through a link, of a pattern" env WEFT_CONF=roots.conf "$WEFT" stage cp 'site/in/le*/x' site/out/x
t_has "by where it leads" "$T_OUT" "weft may not read there"
t_run 5 "and elsewhere nothing" env WEFT_CONF=roots.conf "$WEFT" stage cp site/in/a1 site/else/y
t_has "is written" "$T_OUT" "weft may not write there"
t_is "nothing came of it" "$(ls site/out site/else | tr '\n' ' ')" "site/else: x  site/out: a1 a2 "

# ---- names
mkdir into
t_run 0 "into a folder" "$WEFT" stage cp -q tree/one tree/sub into/
t_is "under their names" "$(ls into)" "one
sub"
t_run 2 "several need a folder" "$WEFT" stage cp tree/one tree/sub other
mkdir into2
t_run 0 "a pattern, a slash" "$WEFT" stage cp -q 'tree/o*' tree/sub/ into2/
t_is "what it matches" "$(ls into2)" "one
sub"
t_run 2 "what has no name" "$WEFT" stage cp tree/.. into/
t_run 0 "a link named itself is followed" "$WEFT" stage cp -q tree/sub/up real
t_is "to a file" "$(stat -c %F real)" "regular file"
t_run 5 "no source" "$WEFT" stage cp none x
t_run 5 "onto itself" "$WEFT" stage cp --replace tree/one tree/one
t_has "is refused" "$T_OUT" "are the same"
t_run 5 "into itself" "$WEFT" stage cp tree tree/sub/x
t_has "is refused" "$T_OUT" "inside of what is copied"
t_run 5 "over what it is in" "$WEFT" stage cp --replace tree/sub tree
t_has "is refused" "$T_OUT" "inside of what would be replaced"
t_is "nothing is left of all that" "$(parts) $(parts tree) $(parts tree/sub)" "0 0 0"
t_run 2 "an unknown word" "$WEFT" stage cp --durable maybe a b
t_run 2 "an unknown verb" "$WEFT" stage mv a b
t_run 2 "no words" "$WEFT" stage

# ---- special files
mkdir sp && mkfifo sp/fifo && touch sp/file
t_run 5 "a FIFO" "$WEFT" stage cp sp sp1
t_has "is refused by name" "$T_OUT" "sp/fifo is a FIFO"
t_run 0 "skipped" "$WEFT" stage cp --special skip sp sp1
t_has "with a word" "$T_OUT" "sp/fifo is a FIFO: left out"
t_is "the rest is there" "$(ls sp1)" file
t_run 0 "copied" "$WEFT" stage cp --special copy sp sp2
t_is "as a FIFO" "$(look sp2)" "$(look sp)"
t_run 0 "and it verifies" "$WEFT" stage verify sp2

cat >names.py <<'EOF'
import os, sys
for n in "link", "fifo":
    p = os.path.join(sys.argv[2], n)
    if sys.argv[1] == "make":
        os.setxattr(p, "trusted.weft", n.encode(), follow_symlinks=False)
    else:
        print(n, [(x, os.getxattr(p, x, follow_symlinks=False)) for x in os.listxattr(p, follow_symlinks=False)])
EOF
ln -s nowhere sp/link
if [ "$(id -u)" -eq 0 ] && python3 names.py make sp 2>names.err; then
	t_run 0 "attributes of a link and a FIFO" "$WEFT" stage cp --special copy sp sp3
	t_is "are kept" "$(python3 names.py look sp3)" "$(python3 names.py look sp)"
else
	t_skip "attributes of a link and a FIFO" "only for root, on some file systems"
fi
rm sp/link

# ---- hard links, and no record
echo one >alone
touch -d '1 hour ago' alone
t_run 0 "a hard link to a file" "$WEFT" stage cp --strategy hard --json alone alone2
t_is "is one" "$(stat -c %i alone) $(json strategy)" "$(stat -c %i alone2) hard link"
t_run 0 "which is the same the next time" "$WEFT" stage cp --strategy hard --json alone alone2
t_is "and there already" "$(json strategy)" "already there"
t_run 0 "hard links" "$WEFT" stage cp --strategy hard --json sp1 hard
t_is "are made" "$(stat -c %i sp1/file) $(json strategy)" "$(stat -c %i hard/file) hard link"
t_is "nothing was moved, at no rate" "$(json moved) $(printf '%s' "$T_OUT" | grep -c '"share"')" "0 0"
t_run 0 "once more there is nothing to do" "$WEFT" stage cp --strategy hard --json sp1 hard
t_is "says it" "$(json strategy)" "already there"
t_run 0 "no record" "$WEFT" stage cp -q --no-record tree/one bare
t_run 5 "can't be verified" "$WEFT" stage verify bare

# ---- cleaning
mkdir gc
"$WEFT" stage cp -q sp1 gc/a && "$WEFT" stage cp -q sp1 gc/b && rm -r gc/a
mkdir "gc/.weft-part.a.00000000.$(hostname).999999999.0"
touch "gc/.weft-part.a.00000000.$(hostname).999999999.0.j" gc/.weft-part.a.00000000.elsewhere.1.0
t_run 0 "what is left" "$WEFT" stage gc gc
t_has "is counted" "$T_OUT" "gc: 3 removed"
t_is "copies and others' stay" "$(find gc -maxdepth 1 -name '.w*' | wc -l) $(ls gc)" "2 b"

# As a user, so that the folder can be removed.
chmod -R u+rwX . 2>/dev/null
t_done
