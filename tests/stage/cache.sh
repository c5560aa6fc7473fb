#!/bin/sh
# cache.sh - the node's cache by hand: weft stage cp --cache, ls, verify --cache, gc
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 1
t_second_fs "the node's cache"
CACHE=$NODE/weft-$(id -u)/cache
printf 'scratch = %s\nnode_cache_bytes = 300M\n' "$NODE" >weft.conf
export WEFT_CONF="$T_TMP/weft.conf"
stage() { "$WEFT" stage "$@"; }
json() { printf '%s' "$T_OUT" | python3 -c 'import json,sys
d = json.load(sys.stdin)
print(*[d[k] for k in sys.argv[1:]])' "$@"; }
ls_json() { stage ls --json | python3 -c 'import json,sys
d = json.load(sys.stdin)
print(*[eval(sys.argv[1], {}, {"d": d})])' "$1"; }
inode() { stat -c %i "$1"; }
flip() { # FILE OFFSET: another bit, and nothing else that stat tells
	python3 - "$1" "$2" <<'E'
import os, sys
p, at = sys.argv[1], int(sys.argv[2])
st = os.stat(p)
os.chmod(p, 0o644)
with open(p, "r+b") as f:
    f.seek(at); b = f.read(1); f.seek(at); f.write(bytes([b[0] ^ 1]))
os.chmod(p, st.st_mode & 0o777)
os.utime(p, ns=(st.st_atime_ns, st.st_mtime_ns))
E
}

mkdir -p src/sub
for i in 1 2 3 4 5 6 7 8 9; do echo "file $i" >src/sub/f$i; done
head -c 5000000 /dev/urandom >src/big
ln -s sub/f1 src/link

# ---- once fetched, then there
t_run 0 "by way of the cache" stage cp --json --cache src "$NODE/one"
t_is "it is fetched" "$(json strategy bytes)" "fetched 5000063"
hash=$(json hash)
t_run 0 "a second time" stage cp --json --cache src "$NODE/two"
t_is "nothing moves" "$(json strategy moved hash)" "cache 0 $hash"
t_run 0 "what is given is the source" diff -r --no-dereference src "$NODE/two"
t_is "in one copy" "$(inode "$NODE/one/big")" "$(inode "$NODE/two/big")"
t_is "that isn't for writing" "$(stat -c %a "$NODE/two/big")" 444
t_is "the cache is for its user alone" "$(stat -c %a "$CACHE" "$(dirname "$CACHE")" | tr '\n' ' ')" "700 700 "
t_run 0 "elsewhere" stage cp --json --cache src out
t_is "it is copied from the node" "$(json strategy) $(diff -r --no-dereference src out && echo same)" "cache same"

# ---- what it holds
t_run 0 "ls" stage ls
t_has "names the hash" "$T_OUT" "$hash"
t_has "and where it came from" "$T_OUT" "$T_TMP/src"
t_has "and the sum" "$T_OUT" "1 entries"
t_is "and as JSON" "$(ls_json '(d[0]["hash"], d[0]["bytes"], d[0]["files"], d[0]["linked"], d[0]["leased"])')" \
	"('$hash', 5000063, 13, True, False)"
t_is "the same of a folder" "$(stage ls --dir "$CACHE")" "$(stage ls)"
t_run 5 "that is a cache" stage ls --dir "$NODE"
t_has "or is told" "$T_OUT" "is no cache"
t_run 1 "and made none" test -e "$NODE/e"
t_run 0 "what is in use stays" stage gc --all
t_has "with a word about it" "$T_OUT" "0 entries removed"
if python3 -c 'import os
os.setxattr("src/sub", "user.who", b"folder"); os.setxattr("'"$NODE"'", "user.x", b"1")' 2>/dev/null; then
	t_run 0 "a folder with an attribute" stage cp --json --cache src "$NODE/three"
	t_is "gets it" "$(python3 -c 'import os; print(os.getxattr("'"$NODE"'/three/sub", "user.who").decode())')" folder
	if command -v setfacl >/dev/null && setfacl -m u:1:rx src/sub 2>/dev/null; then
		rm -rf "$NODE/three"
		t_run 0 "and one with an ACL" stage cp --json --cache src "$NODE/three"
		t_is "keeps that" "$(getfacl -cp "$NODE/three/sub")" "$(getfacl -cp src/sub)"
		setfacl -b src/sub
	fi
	rm -rf "$NODE/three"
	python3 -c 'import os; os.removexattr("src/sub", "user.who"); os.setxattr("src/sub/f1", "user.who", b"file")'
	t_run 0 "a file with an attribute" stage cp --json --cache src "$NODE/three"
	t_is "isn't shared by way of the cache" "$(json strategy | grep -cE 'cache|fetched')" 0
	t_is "and keeps it" "$(python3 -c 'import os; print(os.getxattr("'"$NODE"'/three/sub/f1", "user.who").decode())')" file
	rm -rf "$NODE/three"
	python3 -c 'import os; os.removexattr("src/sub/f1", "user.who")'
else
	t_skip "folders with attributes" "not on these file systems"
fi
rm -rf "$NODE/one" "$NODE/two"
t_is "its last name is gone" "$(ls_json 'd[0]["linked"]')" False

# ---- a bit that flips in the cache
t_run 0 "an entry" stage verify --cache
t_has "is as its record says" "$T_OUT" "as its record says"
flip "$CACHE"/e/*/big 4000000
t_run 5 "a bit that flips" stage verify --cache
t_has "is found" "$T_OUT" "other data: big"
t_is "and the entry is gone" "$(stage ls -q)" ""
stage cp -q --cache src "$NODE/one" && rm -rf "$NODE/one"
flip "$CACHE"/e/*/big 4000000
t_run 0 "asked to check" stage cp --json --cache --check src "$NODE/one"
t_is "a copy finds it itself" "$(json strategy) $(cmp src/big "$NODE/one/big" && echo same)" "fetched same"
echo node_cache = check >>weft.conf
rm -rf "$NODE/one"
flip "$CACHE"/e/*/big 4000000
t_run 0 "so does every copy" stage cp --json --cache src "$NODE/one"
t_is "where the site says so" "$(json strategy) $(cmp src/big "$NODE/one/big" && echo same)" "fetched same"
rm -rf "$NODE/one"
sed -i /check/d weft.conf

# ---- twenty at once
rm -rf "$CACHE"
head -c 100000000 /dev/zero | tr '\0' x >large
for i in $(seq 20); do stage cp --json --cache large "$NODE/l$i" >"l$i.json" & done
wait
t_is "of twenty at once one fetches" "$(python3 - <<'E'
import json
r = [json.load(open(f"l{i}.json")) for i in range(1, 21)]
print(sum(x["moved"] for x in r), sum(x["strategy"] == "fetched" for x in r))
E
)" "100000000 1"
t_is "all have it" "$(cat "$NODE"/l* | wc -c) $(ls_json 'len(d)')" "2000000000 1"
rm -f "$NODE"/l*

# ---- killed at any time
rm -rf "$CACHE"
bad=0
for i in $(seq "${WEFT_TEST_KILLS:-15}"); do
	stage cp -q --cache large "$NODE/k" >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$((i * 7 % 10))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	if [ -e "$NODE/k" ]; then cmp -s large "$NODE/k" || bad=$((bad + 1)); fi
	rm -f "$NODE/k"
done
t_is "killed, a copy is whole or not there" "$bad" 0
t_run 0 "and the next one has it" stage cp -q --cache large "$NODE/k"
t_run 0 "as it is" cmp large "$NODE/k"
rm -f "$NODE/k"
t_run 0 "nothing of it stays" stage gc --all
t_is "but the folders" "$(find "$CACHE" -mindepth 2 | wc -l)" 0

# ---- limits
for i in 1 2 3 4 5; do cp large "large$i" && echo "$i" >>"large$i"; done
for i in 1 2 3 4 5; do stage cp -q --cache "large$i" "$NODE/l" && rm -f "$NODE/l"; done
t_is "what was used longest ago went" "$(ls_json '[x["source"][-1] for x in d]')" "['3', '4', '5']"
stage cp -q --cache large3 "$NODE/l" && rm -f "$NODE/l"
stage cp -q --cache large1 "$NODE/l" && rm -f "$NODE/l"
t_is "by use, not by age" "$(ls_json '[x["source"][-1] for x in d]')" "['5', '3', '1']"
cat large large large large large >huge
t_run 0 "more than all of it" stage cp --json --cache huge "$NODE/h"
t_is "goes past it" "$(json strategy) $(ls_json 'len(d)')" "copy 3"
rm -f "$NODE/h"
echo node_cache_files = 2 >>weft.conf
t_run 0 "a smaller limit" stage gc
t_is "holds when it is cleaned" "$(ls_json 'len(d)')" 2
echo node_cache = no >>weft.conf
t_run 5 "no cache here" stage ls
t_has "is said" "$T_OUT" "nodes have no cache here"

# ---- planted
sed -i '/node_cache = no/d' weft.conf
rm -rf "$NODE"/weft-*
mkdir -p "$NODE/elsewhere" && ln -s "$NODE/elsewhere" "$NODE/weft-$(id -u)"
t_run 5 "a link in its place" stage cp -q --cache large "$NODE/p"
t_is "isn't followed" "$(ls "$NODE/elsewhere")" ""
rm "$NODE/weft-$(id -u)" && mkdir -m 755 "$NODE/weft-$(id -u)"
t_run 5 "nor a folder that others may enter" stage cp -q --cache large "$NODE/p"
t_has "taken" "$T_OUT" "yours alone"

t_done
