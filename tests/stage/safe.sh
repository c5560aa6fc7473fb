#!/bin/sh
# safe.sh - weft stage: no link leads it elsewhere, no name or depth is too much
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 1
chmod 755 .
# One that other users reach, too.
python=$(PATH=/usr/bin:/bin command -v python3 || command -v python3)
parts() { find "${1:-.}" -maxdepth 1 -name '.weft-part.*' | wc -l; }

# ---- links in the way
mkdir src victim && echo data >src/file && echo precious >victim/file
ln -s victim/file planted
t_run 5 "a link under the final name" "$WEFT" stage cp src/file planted
t_is "is not followed" "$(cat victim/file)" precious
t_run 0 "also when it is replaced" "$WEFT" stage cp -q --replace src/file planted
t_is "the link itself goes" "$(cat victim/file) $(stat -c %F planted)" "precious regular file"
ln -s victim folder
t_run 0 "the user's own link on the way" "$WEFT" stage cp -q src/file folder/mine
t_is "is followed" "$(cat victim/mine)" data
ln -s loop2 loop1 && ln -s loop1 loop2
t_run 5 "links in a circle" "$WEFT" stage cp src/file loop1/x
t_run 0 "a folder of links" "$WEFT" stage cp -q folder/. links
t_is "is what it is" "$(stat -c %F links)" directory
mkdir inner && ln -s "$T_TMP/victim" inner/dir && ln -s /etc/passwd inner/pw
t_run 0 "links inside of a tree" "$WEFT" stage cp -q inner inner2
t_is "stay links" "$(readlink inner2/dir) $(readlink inner2/pw)" "$T_TMP/victim /etc/passwd"
t_run 0 "with .. on the way" "$WEFT" stage cp -q src/file "src/../src/./copy"
t_is "it is there" "$(cat src/copy)" data
t_run 5 "a name of 256 bytes" "$WEFT" stage cp src/file "$(printf '%0256d' 0)"
t_run 0 "one of 255" "$WEFT" stage cp -q src/file "$(printf '%0255d' 0)"
t_run 0 "an option's name" "$WEFT" stage cp -q -- src/file -rf
t_is "is there" "$(cat ./-rf)" data
t_run 0 "a newline" "$WEFT" stage cp src/file "new
line"
t_is "shows as one line" "$(printf '%s\n' "$T_OUT" | wc -l)" 1
t_run 0 "bytes that are no text" "$WEFT" stage cp --json src/file "$(printf 'b\377\033[2J')"
t_is "don't reach the terminal" "$(printf '%s' "$T_OUT" | LC_ALL=C tr -d ' -~' | wc -c)" 0

# ---- deep
"$python" - <<'EOF'
import os
os.mkdir("deep")
os.chdir("deep")
for i in range(1100):
    os.mkdir("folder%d" % i)
    os.chdir("folder%d" % i)
    if i % 100 == 99:
        open("file", "w").write("at %d" % i)
os.mkdir("x" * 255)
os.symlink("nowhere", "link")
os.link("file", "same")
with open("large", "w") as f:
    f.truncate(20 << 20)
    f.seek(19 << 20)
    f.write("data")
EOF
# A few descriptors are enough for any depth.
t_run 0 "1,100 folders deep, beyond 4,096 bytes" sh -c 'ulimit -n 64; exec "$@"' sh "$WEFT" stage cp -q --durable none deep deep2
t_is "all of it" "$(cd deep2 && find . | wc -l) $(cd deep2 && find . -type f | wc -l)" "$(cd deep && find . | wc -l) 13"
t_run 0 "verified" "$WEFT" stage verify deep2
t_run 0 "unchanged" "$WEFT" stage cp --json deep deep2
t_has "it is known" "$T_OUT" '"already there"'
t_run 0 "and replaced" "$WEFT" stage cp -q --replace src deep2
t_is "it is gone" "$(ls deep2) $(parts)" "copy
file 0"
mkdir wide && (cd wide && seq 3000 | xargs mkdir && for i in 1 2 3; do echo $i >$i/file; done)
t_run 0 "3,000 folders wide" sh -c 'ulimit -n 64; exec "$@"' sh "$WEFT" stage cp -q --durable none wide wide2
t_run 0 "are the same" diff -r wide wide2

# ---- other users
if [ "$(id -u)" -ne 0 ] || ! setpriv --reuid 65534 --regid 65534 --clear-groups "$WEFT" --version >/dev/null 2>&1; then
	t_skip "other users" "needs root, and a weft that others reach"
	t_done
fi
as() { # UID COMMAND...
	u=$1
	shift
	setpriv --reuid "$u" --regid "$u" --clear-groups "$@"
}
alice=64001 mallory=64002
mkdir shared home && chmod 1777 shared && chown $alice home
echo mine >home/file && chown $alice home/file && as $alice mkdir home/ssh home/tree && as $alice sh -c 'echo x >home/tree/x'
as $mallory ln -s "$T_TMP/home/ssh" shared/way
t_run 5 "another user's link on the way" as $alice "$WEFT" stage cp home/file shared/way/file
t_has "is refused" "$T_OUT" "'way' on the way there is a symbolic link of another user"
t_is "nothing went through" "$(ls -A home/ssh)" ""
ln -s "$T_TMP/home/ssh" shared/site
t_run 0 "root's" as $alice "$WEFT" stage cp -q home/file shared/site/file
t_is "is followed" "$(ls home/ssh)" file
rm -f home/ssh/file home/ssh/.weft*

mkdir ro && chmod 555 ro && as $alice chmod 000 home/tree/x
t_run 5 "a folder that can't be written to" as $alice "$WEFT" stage cp home/file ro/x
t_has "is told" "$T_OUT" "Permission denied"
mkdir drop && chmod 777 drop
t_run 5 "a file that can't be read" as $alice "$WEFT" stage cp home/tree drop/x
t_has "is named" "$T_OUT" "home/tree/x: Permission denied"
t_is "and nothing is left" "$(ls -A drop)" ""
echo root >root && chmod 4755 root && chown $mallory root
t_run 0 "another's file" as $alice "$WEFT" stage cp root drop/own
t_is "is the copier's, without the set-id bit" "$(stat -c '%u %a' drop/own)" "$alice 755"
t_has "which is told" "$T_OUT" "another owner"
# A leftover that another user has planted isn't gone on with, nor followed.
hash=$("$WEFT" stage cp -q root drop/p && basename "$(ls drop/.weft-manifest.p.*)" | sed 's/.*\.//')
rm drop/p
part=".weft-part.p.$hash.$(hostname).999999999.0"
as $mallory ln -s "$T_TMP/home/file" "drop/$part"
as $mallory touch "drop/$part.j"
t_run 0 "planted leftovers" as $alice "$WEFT" stage cp -q home/file drop/p
t_is "change nothing" "$(cat home/file) $(cat drop/p) $(stat -c %F drop/p)" "mine mine regular file"

# A second user turns a name on the way from a folder into a link and back, all the time.
mkdir m && chown $mallory m && chmod 755 m && as $mallory mkdir -m 777 m/x
as $mallory ln -s "$T_TMP/home/ssh" m/link
as $mallory "$python" - "$T_TMP/m" >flip.log 2>&1 <<'EOF' &
import ctypes, os, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None)
n = 0
while not os.path.exists("../stop"):
    libc.renameat2(-100, b"x", -100, b"link", 2)
    n += 1
print(n)
EOF
flipper=$!
went=0 refused=0
for i in $(seq "${WEFT_TEST_FLIPS:-30}"); do
	if as $alice "$WEFT" stage cp -q --durable none home/tree/.. "m/x/t$i" >/dev/null 2>err; then
		went=$((went + 1))
	elif grep -q 'another user' err; then
		refused=$((refused + 1))
	fi
done
touch stop
wait $flipper
as $alice chmod 700 home/tree/x
for i in $(seq 10); do as $alice "$WEFT" stage cp -q --durable none home/file "m/x/f$i" >/dev/null 2>&1; done
t_is "a name that flips: nothing went where the link leads" "$(ls -A home/ssh)" ""
t_is "it flipped" "$(test "$(cat flip.log)" -gt 100 && echo yes)" yes
t_is "and was met" "$(test "$refused" -gt 0 && echo yes)" yes

# The same below the source: what comes out is never what the link leads to.
rm -f stop && mkdir msrc && chown $mallory msrc
as $mallory sh -c 'mkdir msrc/x && echo ok >msrc/x/file'
as $mallory ln -s "$T_TMP/home" msrc/link
as $mallory "$python" - "$T_TMP/msrc" >flip.log 2>&1 <<'EOF' &
import ctypes, os, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None)
while not os.path.exists("../stop"):
    libc.renameat2(-100, b"x", -100, b"link", 2)
EOF
flipper=$!
as $alice mkdir home/out
for i in $(seq 15); do as $alice "$WEFT" stage cp -q --durable none --no-record msrc "home/out/$i" >/dev/null 2>&1; done
touch stop
wait $flipper
t_is "a source that flips: nothing of what the link leads to" "$(find home/out -name file -exec cat {} + | sort -u | grep -v ok)" ""
t_is "no temporary is left" "$(parts home/out)" 0

t_done
