#!/usr/bin/env bash
# weft stage bcast: to several nodes of this machine, each with a folder of its own in the
# place of the destination; what comes there, and what happens when nodes fail.
. "$(dirname "$0")/../lib.sh"

if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
	t_skip 'weft stage bcast' 'no mount namespaces of our own here'
	t_done
fi

# A node is a folder that lies over $T_TMP/dst in its own mount namespace.
mkdir "$T_TMP/dst"
cat >"$T_TMP/node" <<EOF
#!/bin/sh
host=\$1
shift
if [ -e "$T_TMP/\$host.off" ]; then exit 9; fi
# The source's faults are not the nodes'; each may have its own.
unset LD_PRELOAD FAULTY
if [ -e "$T_TMP/\$host.faulty" ]; then
	export LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY="\$(cat "$T_TMP/\$host.faulty")"
fi
echo \$\$ >"$T_TMP/\$host.pid"
exec unshare --mount sh -c 'mount --bind "$T_TMP/\$0" "$T_TMP/dst" && exec "\$@"' \$host "\$@"
EOF
chmod +x "$T_TMP/node"
# fresh N: nodes n1 to nN, empty.
fresh() {
	rm -rf "$T_TMP"/n[0-9]* "$T_TMP"/*.off "$T_TMP"/*.faulty "$T_TMP"/*.pid
	for i in $(seq "$1"); do mkdir "$T_TMP/n$i"; done
}
# A source that is read slowly, so that something can happen meanwhile.
slowly() { LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY=slow:20 "$@"; }
# in_the_middle NODE: something of the copy is there.
in_the_middle() { [ -n "$(find "$T_TMP/$1" -name '.weft-part*' -size +1000k 2>/dev/null)" ]; }
bcast() {
	timeout 100 "$WEFT" stage bcast --launcher "$T_TMP/node" --address 127.0.0.1 "$@"
}
# Temporaries and processes that are left: none, after a while.
clean() {
	[ -z "$(find "$T_TMP"/n* -maxdepth 1 -name '.weft-part*')" ]
}
none_runs() {
	for p in "$T_TMP"/n*.pid; do
		! kill -0 "$(cat "$p")" 2>/dev/null || return 1
	done
}
# same FOLDER FOLDER: with all that cp -a keeps
same() {
	if command -v rsync >/dev/null 2>&1; then
		[ -z "$(rsync -aHAXSn --checksum --delete -i "$1/" "$2/" 2>&1)" ]
	else
		diff -r --no-dereference "$1" "$2" >/dev/null
	fi
}

# ---- what comes there -------------------------------------------------------------
src=$T_TMP/src
mkdir -p "$src/deep/er" "$src/empty" "$src/shut"
head -c 20000000 /dev/urandom >"$src/big"
cp -r "$TOP/libs/stage" "$src/small"
ln "$src/small/stage.h" "$src/deep/er/hard"
ln -s /no/where "$src/deep/link"
ln -P "$src/deep/link" "$src/deep/er/link too"
truncate -s 30000000 "$src/sparse"
printf x | dd of="$src/sparse" bs=1 seek=9000000 conv=notrunc 2>/dev/null
: >"$src/nothing"
printf y >"$src/"$'new\nline \xff'
chmod 0 "$src/shut"
chmod 4751 "$src/nothing"
touch -d '1960-01-01 00:00:00.123456789' "$src/nothing" "$src/empty"
setfattr -n user.note -v kept "$src/big" 2>/dev/null
setfattr -n user.note -v kept "$src/deep" 2>/dev/null
chown 12345:23456 "$src/small/room.h"

fresh 5
t_run 0 'a tree to five nodes' bcast --hosts 'n[1-5]' "$src" "$T_TMP/dst/copy"
t_has 'and it says so' "$T_OUT" 'on 5 of 5 nodes'
for i in 1 3 5; do
	if same "$src" "$T_TMP/n$i/copy"; then t_ok "n$i has it as it is"; else
		t_fail "n$i has it as it is" "$(rsync -aHAXSn --checksum --delete -i "$src/" "$T_TMP/n$i/copy/" 2>&1)"
	fi
done
[ "$(stat -c %b "$T_TMP/n5/copy/sparse")" -lt 200 ] && t_ok 'holes stay holes' ||
	t_fail 'holes stay holes' "$(stat "$T_TMP/n5/copy/sparse")"
t_run 0 'its record holds' "$WEFT" stage verify "$T_TMP/n4/copy"
t_run 0 'once more' bcast --json --hosts 'n[1-5]' "$src" "$T_TMP/dst/copy"
# had: strategy, bytes moved, and who had it before
had() { python3 -c 'import json, sys
j = json.load(sys.stdin)
print(j["strategy"], j["moved"], *[n["name"] for n in j["nodes"] if n["done"] and n["there"]])' \
	<<<"$(sed -n '/^{/,$p' <<<"$T_OUT")"; }
t_is 'nothing moves' "$(had)" 'already there 0 n1 n2 n3 n4 n5'
rm -rf "$T_TMP/n3/copy"
echo changed >"$T_TMP/n4/copy/small/stage.h"
t_run 5 'one has it no more, one has something else' bcast --json --hosts 'n[1-5]' "$src" "$T_TMP/dst/copy"
t_has 'what is something else is not overwritten' "$T_OUT" 'is already there'
t_is 'the others move nothing' "$(had | cut -d' ' -f3-)" 'n1 n2 n5'
same "$src" "$T_TMP/n3/copy" && t_ok 'who had it no more has it again' || t_fail 'who had it no more has it again'
t_run 0 'replaced' bcast --json --replace --hosts 'n[1-5]' "$src" "$T_TMP/dst/copy"
t_is 'where it is something else' "$(had | cut -d' ' -f3-)" 'n1 n2 n3 n5'
t_run 0 'a copy by hand' "$WEFT" stage cp -q "$src" "$T_TMP/by-hand"
# root FOLDER NAME: the root hash in a record
root() { sed -n 's/^end \([^ ]*\).*/\1/p' "$1/.weft-manifest.$2."*; }
t_is 'has the same hash' "$(root "$T_TMP/n2" copy)" "$(root "$T_TMP" by-hand)"
t_run 5 'what is there is not overwritten' bcast --hosts 'n[1-5]' "$src/small" "$T_TMP/dst/copy"
t_has 'and it says why' "$T_OUT" 'is already there'
t_run 0 'unless asked' bcast --replace --hosts 'n[1-5]' --tree "$src/small" "$T_TMP/dst/copy"
same "$src/small" "$T_TMP/n5/copy" && t_ok 'a tree of nodes' || t_fail 'a tree of nodes'
t_run 0 'a single file into a folder' bcast --hosts 'n[1-5]' "$src/big" "$T_TMP/dst/"
cmp "$src/big" "$T_TMP/n3/big" && t_ok 'is the same' || t_fail 'is the same'
t_run 0 'an empty one' bcast --json --hosts 'n[1-5]' "$src/nothing" "$T_TMP/dst/none"
t_is 'its JSON counts the nodes' \
	"$(python3 -c 'import json, sys; j = json.load(sys.stdin); print(len(j["nodes"]), j["failed"], j["bytes"])' <<<"$T_OUT")" '5 0 0'
# from: who got it from whom, by the JSON
from() { python3 -c 'import json, sys
print(" ".join("%s<%s" % (n["name"], n["from"]) for n in json.load(sys.stdin)["nodes"]))' <<<"$T_OUT"; }
mkdir "$T_TMP/etc"
echo 'TopologyPlugin=topology/tree' >"$T_TMP/etc/slurm.conf"
printf 'SwitchName=s0 Nodes=n[1,3,5]\nSwitchName=s1 Nodes=n[2,4]\nSwitchName=top Switches=s[0-1]\n' \
	>"$T_TMP/etc/topology.conf"
t_run 0 'nodes at two switches' env SLURM_CONF="$T_TMP/etc/slurm.conf" \
	"$WEFT" stage bcast --launcher "$T_TMP/node" --address 127.0.0.1 --json --hosts 'n[1-5]' "$src/big" "$T_TMP/dst/by-switch"
t_is 'a chain leaves a switch once' "$(from)" 'n1<None n2<n5 n3<n1 n4<n2 n5<n3'
t_run 0 'and by a tree' env SLURM_CONF="$T_TMP/etc/slurm.conf" \
	"$WEFT" stage bcast --launcher "$T_TMP/node" --address 127.0.0.1 --json --tree --hosts 'n[1-5]' "$src/big" "$T_TMP/dst/by-tree"
t_is 'each switch is reached once' "$(from)" 'n1<None n2<None n3<n1 n4<n2 n5<n1'
cmp "$src/big" "$T_TMP/n4/by-tree" && t_ok 'it is the same there' || t_fail 'it is the same there'
t_until 20 none_runs && t_ok 'no process is left' || t_fail 'no process is left'
clean && t_ok 'no temporary is left' || t_fail 'no temporary is left' "$(ls -A "$T_TMP"/n*)"

# ---- nodes that fail --------------------------------------------------------------
fresh 5
: >"$T_TMP/n2.off"
t_run 5 'a node that cannot be started' bcast --hosts 'n[1-5]' "$src/big" "$T_TMP/dst/copy"
t_has 'is named' "$T_OUT" 'n2: it could not be started there (exit status 9)'
t_has 'and no other' "$T_OUT" 'on 4 of 5 nodes'
cmp "$src/big" "$T_TMP/n5/copy" && t_ok 'the others have it' || t_fail 'the others have it'

fresh 5
mount -t tmpfs -o size=2m none "$T_TMP/n3"
t_run 5 'a node whose disk is full' bcast --hosts 'n[1-5]' "$src" "$T_TMP/dst/copy"
t_has 'is named' "$T_OUT" 'No space left'
t_has 'alone' "$T_OUT" 'on 4 of 5 nodes'
same "$src" "$T_TMP/n4/copy" && t_ok 'the one behind it has it' || t_fail 'the one behind it has it'
clean && t_ok 'nothing is left on it' || t_fail 'nothing is left on it' "$(ls -A "$T_TMP"/n*)"
umount "$T_TMP/n3"

if [ -n "$(LD_PRELOAD=$BUILD/tests/faulty.so true 2>&1)" ] || [ "$VARIANT" = san ]; then
	t_skip 'faults on the way' 'no shim in a sanitized program'
else
	# during COMMAND...: a slow broadcast to six nodes, with COMMAND once n5 has some of it.
	during() {
		fresh 6
		slowly bcast --hosts 'n[1-6]' --silence 2s --json "${how[@]}" "$src/big" "$T_TMP/dst/copy" >"$T_TMP/out" 2>"$T_TMP/err" &
		job=$!
		if ! t_until 30 in_the_middle n5; then t_fail 'it begins' "$(cat "$T_TMP/out" "$T_TMP/err")"; fi
		"$@"
		wait "$job"
		status=$?
	}
	# Names of those that failed, with their reasons.
	failed() {
		python3 -c 'import json, sys
for n in json.load(open(sys.argv[1]))["nodes"]:
    if not n["done"]: print(n["name"], n["why"])' "$T_TMP/out" 2>&1
	}
	others_have_it() { # NODE...
		for i in "$@"; do
			cmp "$src/big" "$T_TMP/n$i/copy" || { t_fail "n$i has it"; return; }
		done
		t_ok 'the others have it'
	}
	signal() { kill "-$1" "$(cat "$T_TMP/$2.pid")"; }
	how=()
	during signal KILL n3
	t_is 'a relay is killed: status 5' "$status" 5
	t_is 'it alone is named' "$(failed | cut -d' ' -f1)" n3
	others_have_it 1 2 4 5 6
	during eval 'signal KILL n3; signal KILL n4'
	t_is 'two neighbours are killed' "$status, $(failed | cut -d' ' -f1 | tr '\n' ' ')" '5, n3 n4 '
	others_have_it 1 2 5 6
	during signal STOP n2
	t_is 'one falls silent: status 5' "$status" 5
	t_has 'it is named' "$(failed)" 'n2 '
	t_has 'with the reason' "$(failed)" 'silent for'
	t_is 'and it alone' "$(failed | wc -l)" 1
	others_have_it 1 3 4 5 6
	t_until 10 none_runs && t_ok 'and is ended' || t_fail 'and is ended'
	# n3 reads from its parent at a crawl; n4 behind it needn't.
	fresh 4
	head -c 60000000 /dev/zero >"$T_TMP/long"
	echo crawl:5000000 >"$T_TMP/n3.faulty"
	t_run 5 'one is far slower than the others' slowly timeout 60 "$WEFT" stage bcast \
		--launcher "$T_TMP/node" --address 127.0.0.1 --hosts 'n[1-4]' --silence 2s "$T_TMP/long" "$T_TMP/dst/copy"
	t_has 'it is taken out' "$T_OUT" 'n3: it takes far less than comes'
	cmp "$T_TMP/long" "$T_TMP/n4/copy" && t_ok 'the one behind it has it' || t_fail 'the one behind it has it'
	fresh 4
	echo crawl:5000000 >"$T_TMP/n1.faulty"
	t_run 5 'the first one is far slower than the others' timeout 60 "$WEFT" stage bcast \
		--launcher "$T_TMP/node" --address 127.0.0.1 --hosts 'n[1-4]' --silence 2s "$T_TMP/long" "$T_TMP/dst/copy"
	t_has 'the source sees it' "$T_OUT" 'n1: it takes far less than others do'
	t_has 'and takes no other out' "$T_OUT" 'on 3 of 4 nodes'
	cmp "$T_TMP/long" "$T_TMP/n4/copy" && t_ok 'those behind it have it' || t_fail 'those behind it have it'
	# A source that is killed, and started again.
	fresh 3
	head -c 100000000 /dev/urandom >"$T_TMP/long"
	LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY=slow:20 "$WEFT" stage bcast -q --launcher "$T_TMP/node" \
		--address 127.0.0.1 --hosts 'n[1-3]' "$T_TMP/long" "$T_TMP/dst/copy" >"$T_TMP/out" 2>&1 &
	job=$!
	# Three chunks of 16 MiB each, and the journal's head.
	has_most() { [ "$(cat "$T_TMP"/n3/.weft-part*.j 2>/dev/null | wc -l)" -ge 4 ]; }
	if ! t_until 60 has_most; then t_fail 'it begins' "$(ls -lA "$T_TMP/n3"; cat "$T_TMP/out")"; fi
	kill -KILL "$job"
	wait "$job" 2>/dev/null
	t_until 20 none_runs && t_ok 'the nodes end with a source that was killed' ||
		t_fail 'the nodes end with a source that was killed'
	t_run 0 'it is gone on with' bcast --json --hosts 'n[1-3]' "$T_TMP/long" "$T_TMP/dst/copy"
	t_is 'half of it was there' "$(python3 -c 'import json, sys
j = json.load(sys.stdin)
print(j["resumed"] >= 48 << 20, j["moved"] + j["resumed"] == j["bytes"] == 100000000)' <<<"$T_OUT")" 'True True'
	cmp "$T_TMP/long" "$T_TMP/n3/copy" && t_ok 'and it is whole' || t_fail 'and it is whole'
	t_run 0 'its record, too' "$WEFT" stage verify "$T_TMP/n2/copy"
	clean && t_ok 'nothing of the first one is left' || t_fail 'nothing of the first one is left' "$(ls -A "$T_TMP"/n*)"
	# The same with a folder: what is whole on all of them isn't sent again.
	tree=$T_TMP/tree
	mkdir -p "$tree/a/deep" "$tree/b" "$tree/z"
	for i in $(seq 40); do head -c $((i * 1000)) /dev/urandom >"$tree/a/deep/$i"; done
	cp "$tree/a/deep/40" "$tree/a/changes"
	ln "$tree/a/deep/7" "$tree/a/other-name"
	ln -s deep/7 "$tree/a/link"
	: >"$tree/a/empty"
	chmod 400 "$tree/a/deep/3"
	setfattr -n user.note -v old "$tree/a/deep/4" 2>/dev/null
	mv "$T_TMP/long" "$tree/b/big"
	cp -r "$src/small" "$tree/b/gone"
	truncate -s 30000000 "$tree/b/sparse"
	for i in $(seq 20); do head -c 3000 /dev/urandom >"$tree/z/$i"; done
	# killed: a slow broadcast of the tree, killed once n3 has most of the big file.
	killed() {
		LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY=slow:20 "$WEFT" stage bcast -q --launcher "$T_TMP/node" \
			--address 127.0.0.1 --silence 2s --hosts 'n[1-3]' "$tree" "$T_TMP/dst/copy" >"$T_TMP/out" 2>&1 &
		job=$!
		if ! t_until 60 has_of_big "$1"; then t_fail 'it begins' "$(ls -lA "$T_TMP/n3"; cat "$T_TMP/out")"; fi
	}
	has_of_big() { [ "$(cat "$T_TMP"/n3/.weft-part*.j 2>/dev/null | grep -c ' b/big ')" -ge "$1" ]; }
	end_source() {
		kill -KILL "$job"
		wait "$job" 2>/dev/null
		t_until 20 none_runs || t_fail 'the nodes end'
	}
	# resumed BYTES: so many bytes at least were there, and the rest has moved.
	resumed() {
		python3 -c 'import json, sys
j = json.load(sys.stdin)
print(j["resumed"] >= int(sys.argv[1]), j["moved"] + j["resumed"] <= j["bytes"] and j["moved"] < j["bytes"] - int(sys.argv[1]))' \
			"$1" <<<"$(sed -n '/^{/,$p' <<<"$T_OUT")"
	}
	all_same() {
		for i in 1 2 3; do
			same "$tree" "$T_TMP/n$i/copy" || { t_fail "$1" "n$i: $(diff -r "$tree" "$T_TMP/n$i/copy" 2>&1 | head -3)"; return; }
		done
		t_ok "$1"
	}
	fresh 3
	killed 3
	end_source
	t_run 0 'a killed folder is gone on with' bcast --json --hosts 'n[1-3]' "$tree" "$T_TMP/dst/copy"
	t_is 'what was whole was not sent' "$(resumed 50000000)" 'True True'
	all_same 'all have it as it is'
	t_run 0 'its record holds' "$WEFT" stage verify "$T_TMP/n2/copy"
	clean && t_ok 'nothing of the first one is left there' || t_fail 'nothing of the first one is left there' "$(ls -A "$T_TMP"/n*)"
	# A receiver and the source, and meanwhile some of the source is another.
	fresh 3
	killed 1
	kill -KILL "$(cat "$T_TMP/n2.pid")"
	if ! t_until 60 has_of_big 3; then t_fail 'it goes on without the one that was killed'; fi
	end_source
	echo other >"$tree/a/changes"
	printf x | dd of="$tree/a/deep/5" bs=1 conv=notrunc 2>/dev/null
	rm -r "$tree/a/deep/6" "$tree/a/link" "$tree/a/empty" "$tree/b/gone"
	mkdir "$tree/a/link"
	head -c 5000 /dev/urandom >"$tree/a/link/new"
	ln -s nowhere "$tree/a/empty"
	rm "$tree/a/other-name"
	head -c 7000 /dev/urandom >"$tree/a/other-name"
	setfattr -x user.note "$tree/a/deep/4" 2>/dev/null
	chmod 640 "$tree/a/deep/4"
	t_run 0 'with a source that has changed, and a node that has less' \
		bcast --json --hosts 'n[1-3]' "$tree" "$T_TMP/dst/copy"
	t_is 'what all have was not sent' "$(resumed 16000000)" 'True True'
	all_same 'all have what the source is now'
	t_run 0 'its record says so' "$WEFT" stage verify "$T_TMP/n2/copy"
	clean && t_ok 'nothing of both is left' || t_fail 'nothing of both is left' "$(ls -A "$T_TMP"/n*)"
	# What is there isn't what was noted.
	fresh 3
	killed 2
	end_source
	printf xyz | dd of="$(echo "$T_TMP"/n1/.weft-part*[0-9]/a/deep/30)" bs=1 seek=100 conv=notrunc 2>/dev/null
	printf xyz | dd of="$(echo "$T_TMP"/n3/.weft-part*[0-9]/b/big)" bs=1 seek=20000000 conv=notrunc 2>/dev/null
	# It is killed once more, by itself, without a source to speak of.
	killed 4
	end_source
	t_run 0 'twice killed, with bits that were flipped' bcast --json --hosts 'n[1-3]' "$tree" "$T_TMP/dst/copy"
	t_is 'much was there all the same' "$(resumed 50000000)" 'True True'
	all_same 'and all have it as it is'
	clean && t_ok 'nothing is left' || t_fail 'nothing is left' "$(ls -A "$T_TMP"/n*)"
	# At random moments, of the source or of a node first, and what is sent changes between.
	: >"$T_TMP/twice"
	for i in $(seq $((${WEFT_TEST_KILLS:-5} / 5))); do
		fresh 3
		for at in $((RANDOM % 4)) $((RANDOM % 4 + 2)); do
			killed "$at"
			[ $((RANDOM % 2)) -eq 0 ] || kill -KILL "$(cat "$T_TMP/n$((RANDOM % 3 + 1)).pid")" 2>/dev/null
			end_source
			echo "$at" >"$tree/a/deep/$((RANDOM % 40 + 1))"
		done
		bcast --json --hosts 'n[1-3]' "$tree" "$T_TMP/dst/copy" >"$T_TMP/out" 2>&1 || cat "$T_TMP/out"
		for n in 1 2 3; do
			same "$tree" "$T_TMP/n$n/copy" && "$WEFT" stage verify "$T_TMP/n$n/copy" >/dev/null 2>&1 ||
				echo "n$n is not as it should be: $(diff -r "$tree" "$T_TMP/n$n/copy" 2>&1 | head -2)"
		done >>"$T_TMP/twice"
		clean || ls -A "$T_TMP"/n* >>"$T_TMP/twice"
	done
	t_is 'killed twice at random moments, then whole' "$(cat "$T_TMP/twice")" ''
	rm -r "$tree"
	# What this node's cache has isn't read from the source.
	plain=$T_TMP/plain
	mkdir -p "$plain/sub" "$T_TMP/scratch"
	cp -r "$src/small" "$plain/sub/small"
	head -c 40000000 /dev/urandom >"$plain/big"
	truncate -s 30000000 "$plain/sparse"
	printf x | dd of="$plain/sparse" bs=1 seek=9000000 conv=notrunc 2>/dev/null
	ln -s big "$plain/link"
	chmod 640 "$plain/big"
	mount -t tmpfs none "$T_TMP/scratch"
	echo "scratch = $T_TMP/scratch" >"$T_TMP/cache.conf"
	cached() { WEFT_CONF=$T_TMP/cache.conf bcast --json --cache --hosts 'n[1-3]' "$@"; }
	unreadable() { LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY="read-eio:/plain/" "$@"; }
	from_cache() { python3 -c 'import json, sys
j = json.load(sys.stdin)
print(j["cached"] > 40000000 and j["cached"] == j["moved"], j["cached"])' <<<"$(sed -n '/^{/,$p' <<<"$T_OUT")"; }
	plain_same() {
		for i in 1 2 3; do
			diff -r --no-dereference "$plain" "$T_TMP/n$i/copy" >/dev/null || { t_fail "$1" "n$i"; return; }
		done
		t_ok "$1"
	}
	fresh 3
	t_run 0 'it is in the cache' env WEFT_CONF="$T_TMP/cache.conf" "$WEFT" stage cp -q --cache "$plain" "$T_TMP/scratch/x"
	t_run 5 'a source that cannot be read' unreadable bcast --hosts 'n[1-3]' "$plain" "$T_TMP/dst/copy"
	t_has 'by no means' "$T_OUT" 'Input/output error'
	t_run 0 'is read from the cache' unreadable cached "$plain" "$T_TMP/dst/copy"
	t_is 'all of it' "$(from_cache | cut -d' ' -f1)" True
	plain_same 'all have it'
	t_is 'with the permissions of the source' "$(stat -c %a "$T_TMP/n3/copy/big")" 640
	t_run 0 'its record holds' "$WEFT" stage verify "$T_TMP/n2/copy"
	fresh 3
	LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY=slow:20 "$WEFT" stage bcast -q --launcher "$T_TMP/node" \
		--address 127.0.0.1 --hosts 'n[1-3]' "$plain" "$T_TMP/dst/copy" >"$T_TMP/out" 2>&1 &
	job=$!
	has_two() { [ "$(cat "$T_TMP"/n3/.weft-part*.j 2>/dev/null | grep -c ' big ')" -ge 2 ]; }
	t_until 60 has_two || t_fail 'it begins' "$(cat "$T_TMP/out")"
	end_source
	t_run 0 'what a killed one has left, and the cache' cached "$plain" "$T_TMP/dst/copy"
	t_is 'are used both' "$(python3 -c 'import json, sys
j = json.load(sys.stdin)
print(j["resumed"] >= 32 << 20, 0 < j["cached"] < j["moved"] < 10 << 20)' <<<"$T_OUT")" 'True True'
	plain_same 'and all have it whole'
	fresh 3
	touch "$plain/sub"
	t_run 0 'a source that is another by now' cached "$plain" "$T_TMP/dst/copy"
	t_is 'is not taken from there' "$(from_cache)" 'False 0'
	fresh 3
	t_run 0 'a single file' env WEFT_CONF="$T_TMP/cache.conf" "$WEFT" stage cp -q --cache "$plain/big" "$T_TMP/scratch/big"
	t_run 0 'is taken from there, too' unreadable cached "$plain/big" "$T_TMP/dst/copy"
	cmp "$plain/big" "$T_TMP/n2/copy" && t_ok 'and is the same' || t_fail 'and is the same'
	fresh 3
	touch -r "$T_TMP/scratch/big" "$T_TMP/when"
	printf 12345 | dd of="$T_TMP/scratch/big" bs=1 seek=39000000 conv=notrunc 2>/dev/null
	touch -r "$T_TMP/when" "$T_TMP/scratch/big"
	t_run 0 'what the cache has is damaged' cached "$plain/big" "$T_TMP/dst/copy"
	t_has 'it says so' "$T_OUT" "isn't what was brought there"
	t_is 'the source is read' "$(from_cache)" 'False 0'
	cmp "$plain/big" "$T_TMP/n3/copy" && t_ok 'and all have that' || t_fail 'and all have that'
	clean && t_ok 'no temporary is left' || t_fail 'no temporary is left' "$(ls -A "$T_TMP"/n*)"
	umount "$T_TMP/scratch"
	how=(--deadline 1s)
	during signal STOP n6
	t_is 'a deadline holds' "$status, $(failed | grep -c 'not done within 1 s')" '5, 6'
	how=()
	fresh 4
	echo flip:3000000 >"$T_TMP/n2.faulty"
	t_run 0 'a bit is flipped on the way' bcast --hosts 'n[1-4]' --json "$src/big" "$T_TMP/dst/copy"
	t_has 'the link is made once more' "$T_OUT" '"retries": 1,'
	others_have_it 1 2 3 4
	fresh 3
	echo short >"$T_TMP/n2.faulty"
	t_run 0 'reads and writes that are cut short and interrupted' \
		env LD_PRELOAD="$BUILD/tests/faulty.so" FAULTY=short "$WEFT" stage bcast --launcher "$T_TMP/node" \
		--address 127.0.0.1 --hosts 'n[1-3]' "$src" "$T_TMP/dst/copy"
	same "$src" "$T_TMP/n2/copy" && same "$src" "$T_TMP/n3/copy" && t_ok 'all have it' || t_fail 'all have it'
	fresh 4
	echo write:28 >"$T_TMP/n3.faulty"
	t_run 5 'writing fails on one' bcast --hosts 'n[1-4]' "$src/big" "$T_TMP/dst/copy"
	t_has 'it says so' "$T_OUT" 'n3: '
	others_have_it 1 2 4
	t_until 20 none_runs && t_ok 'no process is left' || t_fail 'no process is left'
	rm -f "$T_TMP"/n[0-9]/.weft-part* # of those that were killed
fi

mkfifo "$src/fifo"
fresh 3
t_run 5 'a FIFO is refused' bcast --hosts 'n[1-3]' "$src" "$T_TMP/dst/copy"
t_has 'by name' "$T_OUT" 'fifo is a FIFO'
clean && t_ok 'and nobody has anything' || t_fail 'and nobody has anything' "$(ls -A "$T_TMP"/n*)"
t_run 0 'or left out' bcast --special skip --hosts 'n[1-3]' "$src" "$T_TMP/dst/copy"
rm "$src/fifo"
t_run 2 'no hosts, no job' env -u SLURM_JOB_NODELIST "$WEFT" stage bcast "$src" "$T_TMP/dst/x"
t_until 20 none_runs && t_ok 'no process is left' || t_fail 'no process is left'
t_done
