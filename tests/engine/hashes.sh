#!/bin/sh
# hashes.sh - completion records name the root hash of what was copied
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
t_done
