#!/bin/sh
# `weft cluster --cluster FILE`: what a snapshot looks like, and what is wrong with
# a file, to the letter.  No Slurm is needed.
# shellcheck source-path=SCRIPTDIR source=../lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/cluster" || exit 1

show() { "$WEFT" cluster --cluster "$@"; }
same() { # same NAME FILE: $T_OUT is the file's text
	if [ "$T_OUT" = "$(cat "$2")" ]; then
		t_ok "$1"
	else
		t_fail "$1" "$(printf '%s\n' "$T_OUT" | diff "$2" -)"
	fi
}

t_run 0 "a table" show mixed.yaml
same "as it was" mixed.txt
t_run 0 "JSON" show mixed.yaml --json
same "as it was" mixed.json
t_run 0 "saved" show mixed.yaml --save -
same "as it was" mixed.saved
t_run 0 "saved to a file" show mixed.yaml --save "$T_TMP/saved"
T_OUT=$(cat "$T_TMP/saved")
same "has the same text" mixed.saved
t_run 0 "read again" show mixed.saved --save -
same "is the same again" mixed.saved

for f in typo range; do
	t_run 3 "$f: refused" show $f.yaml
	same "$f: the message" $f.err
done
t_run 3 "no such file" show "$T_TMP/none.yaml"
t_has "says so" "$T_OUT" "No such file or directory"
t_run 2 "an argument too many" show mixed.yaml more
t_run 2 "a folder that isn't there" show mixed.yaml --save "$T_TMP/none/file"
# An output that is full is not a success.
# shellcheck disable=SC2016
t_run 2 "a full device" sh -c '"$1" cluster --cluster mixed.yaml >/dev/full' sh "$WEFT"
# shellcheck disable=SC2016
t_run 2 "a full device, saving" sh -c '"$1" cluster --cluster mixed.yaml --save - >/dev/full' sh "$WEFT"
t_done
