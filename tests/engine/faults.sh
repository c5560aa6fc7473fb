#!/bin/bash
# faults - a disk that fills up, folders that close, files of a run that somebody
# damages: each is said, none is taken for success, and what was done stays.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

# The small file system below is this test's alone, also when it is killed.
if [ "$(id -u)" -eq 0 ] && [ -z "${WEFT_FAULTS_NS-}" ]; then
	rm -rf "$T_TMP"
	WEFT_FAULTS_NS=1 exec unshare --mount --propagation private -- "$0" "$@"
fi

cd "$T_TMP" || exit 2
export HOME=$T_TMP WEFT_CONF=/dev/null
unset WEFT_RUNS
weft() { "$WEFT" "$@"; }

# flow NAME LINE: three steps in a row; the second one runs LINE first
flow() {
	cat >"$1.yaml" <<E
name: $1
steps:
  - name: a
    run: echo a > o
    outputs: {o: o}
  - name: b
    inputs: [{from: a.o, as: o}]
    run: |
      $2
      cat \${{ inputs.o }} > p
    outputs: {p: p}
  - name: c
    inputs: [{from: b.p, as: p}]
    run: cat \${{ inputs.p }} > q
    outputs: {q: q}
E
}
states() { # states RUN
	weft status --json "$1" | python3 -c '
import json, sys
print(" ".join(s["state"] for s in json.load(sys.stdin)["steps"]))' 2>&1
}

# ---- a full disk -----------------------------------------------------------------
if [ "$(id -u)" -eq 0 ]; then
	mkdir disk
	mount -t tmpfs -o size=256k none disk || t_fail "a small file system"
	flow full "head -c 1000000 /dev/zero > $T_TMP/disk/fill"
	t_run 1 "a disk that fills up during a run" weft run --local -q --run-dir disk full.yaml
	t_has "is told, with the file" "$T_OUT" "disk/full/1/steps/b/done.json: No space left on device"
	t_has "and what it means" "$T_OUT" "without a completion record"
	rm disk/fill
	t_is "what was done before is done" "$(states disk/full/1)" "done lost not run"
	t_is "and its output is whole" "$(cat disk/full/1/steps/a/out/o)" a
	umount disk
	# Members' records: until they can be written nothing new starts.
	for how in again never; do
		mount -t tmpfs -o size=256k none disk
		cat >room.yaml <<E
name: room
steps:
  - {name: z, run: "true"}
  - name: a
    depends: [z]
    sweep: {k: [1, 2, 3]}
    max_parallel: 1
    run: |
      echo x >>"$T_TMP/$how"
      test \${{ params.k }} != 1 || head -c 1000000 /dev/zero >$T_TMP/disk/fill || true
  - {name: b, run: "true", depends: [a]}
E
		"$WEFT" run --local -q --run-dir disk room.yaml >$how.log 2>&1 &
		if [ $how = again ]; then
			if t_until 30 grep -q "nothing starts until there is room" $how.log; then
				t_ok "no room for a member's record"
			else
				t_fail "no room for a member's record" "$(cat $how.log)"
			fi
			rm disk/fill
		fi
		wait $!
		code=$?
		if [ $how = again ]; then
			t_is "room again in time: the run goes on" "$code" 0
			t_is "each member ran once" "$(wc -l <again)" 3
			t_is "and is recorded" "$(states disk/room/1)" "done done done"
		else
			t_is "no room again: the run ends" "$code" 2
			t_has "saying why" "$(cat never.log)" "records/local.jsonl: No space left on device"
			t_is "having run no more" "$(wc -l <never)" 1
			rm disk/fill
			t_is "and recorded nothing" "$(grep -c '"state":"done"' disk/room/1/records/local.jsonl)" 0
		fi
		umount disk
	done
	mount -t tmpfs -o size=8k none disk
	flow tiny true
	t_run 2 "a disk with no room for a run" weft run --local -q --run-dir disk tiny.yaml
	t_has "is told" "$T_OUT" "No space left on device"
	t_is "and no half a run is left" "$(find disk -type f)" ""
	umount disk
	mount -t tmpfs -o ro none disk
	t_run 2 "a disk that is read-only" weft run --local -q --run-dir disk tiny.yaml
	t_has "is told" "$T_OUT" "Read-only file system"
	t_has "with what to do" "$T_OUT" "name one with --run-dir"
	umount disk
else
	t_skip "full disks" "a file system of the test's own needs root"
fi

# ---- folders that close; no permission stops root, so as another ------------------
cp "$WEFT" weft && chmod 755 "$T_TMP" weft
mkdir user && chmod 777 user
as_user() { (cd user && "$T_TMP/weft" "$@"); }
[ "$(id -u)" -ne 0 ] || as_user() {
	(cd user && setpriv --reuid 61001 --regid 61001 --clear-groups "$T_TMP/weft" "$@")
}
flow closed 'chmod 555 $WEFT_RUN_DIR $WEFT_RUN_DIR/steps $WEFT_RUN_DIR/steps/*'
mv closed.yaml user && chmod 644 user/closed.yaml
t_run 1 "a run directory that becomes read-only" as_user run --local -q closed.yaml
t_has "is told, with the file" "$T_OUT" "steps/b/done.json: Permission denied"
t_has "and that nothing can be stopped" "$T_OUT" "stop marker: "
t_is "what was done before is done" "$(states user/weft-runs/closed/1)" "done lost not run"

flow mute 'chmod 444 $WEFT_RUN_DIR/journal/*; chmod 555 $WEFT_RUN_DIR/journal'
mv mute.yaml user && chmod 644 user/mute.yaml
t_run 0 "a journal that closes to others" as_user run --local -q mute.yaml
t_is "is still its engine's" "$(states user/weft-runs/mute/1)" "done done done"
[ "$(id -u)" -eq 0 ] || chmod -R u+w user

# ---- completion records that are damaged -------------------------------------------
flow kept true
echo 'steps: [{name: c, env: {X: "1"}}]' >over.yaml
t_run 0 "a whole run" weft run --local -q --overlay over.yaml kept.yaml
run=$T_TMP/weft-runs/kept/1
record=$run/steps/b/done.json
cp "$record" record
damaged() { # damaged HOW: it is never taken for a success
	t_run 1 "a record that is $1" weft status "$run"
	t_has "$1: which one" "$T_OUT" "lost b: $record"
	t_is "$1: the others stand" "$(states "$run")" "done lost done"
	rm -r "$record"
}
sed 's/"exit_status": 0/"exit_status": 3/' record >"$record"
damaged altered
sed 's/"state": "done"/"state": "skipped"/' record >"$record"
damaged forged
head -c 100 record >"$record"
damaged cut
: >"$record"
damaged empty
head -c 3000 /dev/urandom >"$record"
damaged random
mkdir "$record"
damaged "a folder"
cp record "$record"
t_run 0 "put back, all is well" weft status "$run"

# ---- records of members --------------------------------------------------------------
cat >lines.yaml <<'E'
name: lines
steps:
  - {name: a, sweep: {k: [1, 2, 3]}, run: "true"}
E
t_run 0 "a sweep" weft run --local -q lines.yaml
lines=$T_TMP/weft-runs/lines/1/records
t_run 0 "its records are as they should be" weft status --check weft-runs/lines/1
cp "$lines/local.jsonl" "$lines/other.jsonl"
t_run 0 "the same lines again are the same records" weft status --check weft-runs/lines/1
sed 's/"state":"done"/"state":"failed"/' "$lines/local.jsonl" >"$lines/other.jsonl"
t_run 1 "forged lines" weft status --check weft-runs/lines/1
t_has "count for nothing" "$T_OUT" "3 damaged lines, 0 of members"
t_is "and the run is as it was" "$(states weft-runs/lines/1)" "done"
rm "$lines/other.jsonl"
head -c -20 "$lines/local.jsonl" >torn && cat torn >"$lines/local.jsonl"
t_is "a torn line proves nothing" "$(states weft-runs/lines/1)" lost

# ---- what the run was made from ------------------------------------------------------
for f in workflow.yaml plan.json overlay-0.yaml; do
	cp "$run/$f" kept
	rm "$run/$f"
	t_run 2 "$f is removed" weft status "$run"
	t_has "$f: is told" "$T_OUT" "$run/$f: No such file"
	t_run 2 "$f is removed: the engine runs nothing" weft engine --group=0 "$run"
	for how in '$d' 's/[abc]/x/' d; do
		sed "$how" kept >"$run/$f"
		t_run 3 "$f, sed $how" weft status "$run"
		t_has "$f, sed $how: is told" "$T_OUT" "$run/$f was changed after the run was made"
		t_run 3 "$f, sed $how: the engine runs nothing" weft engine --group=0 "$run"
	done
	cp kept "$run/$f"
done
cp "$run/run.json" kept
head -c 50 kept >"$run/run.json"
t_run 3 "run.json is cut" weft status "$run"
t_has "is told" "$T_OUT" "$run/run.json: error: not a run of this version of weft"
cp kept "$run/run.json"
t_run 0 "put back, all is well" weft status "$run"
rm kept.yaml over.yaml
t_run 0 "the user's own files don't matter any more" weft status "$run"
t_is "every step is done" "$(states "$run")" "done done done"
t_done
