#!/bin/bash
# Completion records name the root hash of what was copied, and what is copied further must
# have it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 1
t_second_fs "hashes in records"
printf 'scratch = %s\nmemory = %s\n' "$NODE" "$NODE" >weft.conf
export WEFT_CONF="$T_TMP/weft.conf"
echo given >given.txt
cat >w.yaml <<'E'
name: w
steps:
  - name: a
    run: mkdir d; echo one > d/one; echo two > d/two; echo file > f
    scratch: node
    outputs: {d: d, f: f, none: {path: none, optional: true}}
  - name: b
    inputs: [{from: a.d, as: d, to: node}, {from: a.f, as: f}, {from: ./given.txt, as: g, to: node, mode: copy}]
    run: cat ${{ inputs.d }}/* > o
    outputs: {o: o}
  - name: c
    sweep: {i: [1]}
    scratch: node
    inputs: [{from: a.f, as: f, to: node}]
    run: cp ${{ inputs.f }} o
    outputs: {o: o}
E
t_run 0 "a run" "$WEFT" run --local -q w.yaml
hash_of() { "$WEFT" stage cp --json "$1" "$NODE/copy.$2" | sed 's/.*"hash": "\([^"]*\)".*/\1/'; }
said() { # STEP WHICH
	python3 -c 'import json,sys
r = json.load(open("weft-runs/w/1/steps/%s/done.json" % sys.argv[1]))
print(*["%s=%s" % (o["name"], o.get("hash")) for o in r.get(sys.argv[2], [])])' "$1" "$2"
}
d=$(hash_of weft-runs/w/1/steps/a/out/d d)
f=$(hash_of weft-runs/w/1/steps/a/out/f f)
t_is "outputs that came from a node have one" "$(said a outputs)" "d=$d f=$f"
t_is "inputs that were copied have one: the same" "$(said b inputs)" "d=$d g=$(hash_of given.txt g)"
t_is "what was linked has none" "$(said b outputs)" "o=None"
t_has "of a member, too" "$(cat weft-runs/w/1/records/*)" "\"inputs\":[{\"name\":\"f\",\"hash\":\"$f\"}]"

# ---- what is changed between its producer and who copies it: sizes and times stay
# spoil FILE: its first byte is another
cat >spoil <<'E'
for f; do
	[ -f "$f" ] || exit 3
	touch -r "$f" "$f.time"
	printf X | dd of="$f" bs=1 conv=notrunc status=none
	touch -r "$f.time" "$f"
	rm "$f.time"
done
E
cat >change.yaml <<E
name: change
on_failure: continue
steps:
  - name: a
    scratch: node
    run: |
      echo a >>$T_TMP/ran
      head -c 40000000 /dev/zero | tr '\\0' a >big; mkdir d; echo one >d/x; echo two >d/y
    outputs: {big: big, d: d}
  - name: m
    sweep: {i: {range: [1, 3]}}
    scratch: node
    run: echo \${{ params.i }} >o
    outputs: {o: o}
  # What happens to them stands in a file.
  - {name: between, depends: [a, m], run: . $T_TMP/between}
  - {name: big, depends: [between], inputs: [{from: a.big, as: i, to: node}], run: "head -c 2 \$WEFT_INPUT_I"}
  - {name: tree, depends: [between], inputs: [{from: a.d, as: i, to: memory, mode: copy}], run: "cat \$WEFT_INPUT_I/*"}
  - {name: own, depends: [between], inputs: [{from: a.d, as: i, mode: copy}], run: "cat \$WEFT_INPUT_I/*"}
  - {name: all, depends: [between], inputs: [{from: m.o, as: i, to: node}], run: "cat \$WEFT_INPUT_I/*/o"}
  - {name: read, depends: [between], inputs: [{from: a.big, as: i}], run: "head -c 2 \$WEFT_INPUT_I"}
E
states() { "$WEFT" status --json "$1" | python3 -c 'import json,sys
print(*[s["state"] for s in json.load(sys.stdin)["steps"]][3:])'; }
why() { # RUN STEP
	python3 -c 'import json,sys
print(json.load(open("weft-runs/%s/steps/%s/done.json" % tuple(sys.argv[1:])))["reason"])' "$1" "$2"
}
: >between
t_run 0 "what isn't changed goes on" "$WEFT" run --local -q change.yaml
cat >between <<'E'
cd "$WEFT_RUN_DIR/steps"
sh ../../../../spoil a/out/big a/out/d/y m/*/out/o
E
t_run 5 "what is changed doesn't" "$WEFT" run --local -q change.yaml
t_is "where it is copied; what the node has is what was made" "$(states change/2)" \
	"done failed failed done done"
t_is "and read in place it isn't looked at" "$(cat weft-runs/change/2/steps/read/stdout)" Xa
out=$PWD/weft-runs/change/2/steps/a/out
was=$(python3 -c 'import json
print(*[o["hash"] for o in json.load(open("weft-runs/change/2/steps/a/done.json"))["outputs"] if o["name"] == "d"])')
is=$(hash_of "$out/d" changed)
for s in tree own; do
	t_has "the reason names what, whose, and both hashes ($s)" "$(why change/2 $s)" \
		"input 'i': $out/d isn't what a made as its output 'd': its root hash is $is, and $was in the record"
done
t_has "and what to do" "$(why change/2 tree)" "remove it, and \`weft resume\` makes it again"
echo "$WEFT stage gc -q --all" >>between
t_run 5 "where no node has it" "$WEFT" run --local -q change.yaml
t_is "all that copy it fail" "$(states change/3)" "failed failed failed failed done"
t_has "of a sweep's members each is looked at" "$(why change/3 all)" "isn't what m made as its output 'o'"
t_run 5 "a resumed run doesn't take it either" "$WEFT" resume -q change/3
t_is "while it looks as it was" "$(states change/3)" "failed failed failed failed done"
: >between
rm -r weft-runs/change/3/steps/a/out/big weft-runs/change/3/steps/m/*/out/o
t_run 0 "what is removed is made again" "$WEFT" resume -q change/3
t_is "and goes on" "$(states change/3) $(cat weft-runs/change/3/steps/big/stdout)" "done done done done done aa"
sleep 0.02
echo mended >weft-runs/change/2/steps/a/out/d/y
t_run 0 "what was replaced before the run is resumed" "$WEFT" resume -q change/2
t_is "is meant" "$(cat weft-runs/change/2/steps/tree/stdout)" "one
mended"
t_is "and none of it is made again" "$(wc -l <ran)" 4
printf 'node_cache = no\n' >>weft.conf
t_run 0 "without a cache" "$WEFT" run --local -q change.yaml
t_done
