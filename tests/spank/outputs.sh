#!/bin/bash
# outputs - what a step has made on its nodes, where srun made the allocation: it is
# brought back while the step runs on for Slurm, however long that takes
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2012,SC2015,SC2016,SC2317 # the nodes expand; plain names; checks never fail; t_until calls
. "$(dirname "$0")/../lib.sh"

t_cluster "outputs of an srun on its own" --cpu-nodes 2 --gpu-nodes 0 --cpus-per-node 4

home=$DIR/home/alice
mkdir "$home/lab"
cat >"$home/heat.yaml" <<'END'
name: heat
steps:
  - name: one
    run: "true"
    scratch: node
    outputs: {dir: one/it}
    resources: {ntasks: 1, time: 3m}
  - name: two
    run: "true"
    scratch: memory
    outputs: {dir: two, lab: lab/made}
    resources: {ntasks: 4, time: 3m}
END
# More than fits in a message to the nodes.
{
	printf 'name: many\nsteps:\n  - name: many\n    run: x\n    scratch: node\n    resources: {time: 3m}\n    outputs:\n'
	for i in $(seq 200); do printf '      o%d: many/%0100d\n' "$i" "$i"; done
} >"$home/many.yaml"
cat >"$home/make.sh" <<'END'
#!/bin/sh
mkdir -p "$WEFT_OUTPUT_DIR" && echo "$SLURM_PROCID" >"$WEFT_OUTPUT_DIR/$SLURM_PROCID"
[ "$SLURM_PROCID" != 0 ] || [ -z "$WEFT_OUTPUT_LAB" ] || echo lab >"$WEFT_OUTPUT_LAB"
exit "$1"
END
cat >"$home/children.py" <<'END'
import os
try:
    os.wait()
except ChildProcessError:
    print("none")
END
chmod 755 "$home/make.sh"
chown --reference="$home" "$home"/*.*
# A group's folder, where the group isn't the user's first.
chgrp "$(as alice id -G | cut -d' ' -f2)" "$home/lab" && chmod 2770 "$home/lab"

# The nodes' weft, which brings nothing back as long as the gate is shut.
cat >"$DIR/bin/gate" <<END
#!/bin/sh
if [ "\$*" = stage-out ]; then
	if [ -e "$home/half" ]; then
		"$DIR/bin/weft" stage-out &
		until ls "$home"/one/.weft-part*; do :; done >/dev/null 2>&1
		kill -STOP \$!
		hostname >>"$home/waiting"
		# Slurm lets it go on before it kills it.
		while kill -STOP \$!; do sleep 0.01; done
	fi
	hostname >>"$home/waiting"
	until [ -e "$home/gate" ]; do sleep 0.1; done
fi
exec "$DIR/bin/weft" "\$@"
END
chmod 755 "$DIR/bin/gate"
sed -i '/^command/d' "$DIR/etc/weft.conf"
echo "command = $DIR/bin/gate" >>"$DIR/etc/weft.conf"

start() { # ARGS: srun in the background, until it waits at the gate on N nodes
	n=$1
	shift
	rm -rf "$home/gate" "$home/half" "$home/waiting" "$home/one" "$home/two"
	[ "$n" != half ] || touch "$home/half"
	as alice timeout 120 srun --weft=heat.yaml "$@" >"$T_TMP/out" 2>&1 </dev/null &
	srun=$!
	t_until 60 waits "$n" || t_fail "it waits at the gate: $*" "$(cat "$T_TMP/out")"
}
# $1: N, or half a copy
waits() { [ "$(grep -c . "$home/waiting" 2>/dev/null)" = "${1/half/1}" ]; }
finish() {
	wait "$srun" && STATUS=0 || STATUS=$?
	OUT=$(cat "$T_TMP/out")
}
jobs_now() { as alice squeue -h -o "${1-%T}"; }
none_now() { [ -z "$(jobs_now)" ]; }
# Longer than Slurm waits for what runs in a job that has ended (KillWait: 5 s).
runs_long() { [ "$(jobs_now %M | tr -dc 0-9)" -ge 8 ]; }
idle() { [ "$(as root sinfo -h -o %T)" = idle ]; }
left() { # what is left on the nodes
	for n in c1 c2; do
		devcluster sh --user root --node $n -- sh -c \
			'pgrep -u alice -a; find /scratch /dev/shm -path "*/weft/[0-9]*"'
	done
}

start 2 -N2 --weft-step=two ./make.sh 0
t_until 60 runs_long || t_fail 'the job is there for long'
t_is 'the step runs while they are brought back' "$(jobs_now)" RUNNING
touch "$home/gate"
finish
t_is 'all of four tasks on two nodes is there' "$STATUS $(ls "$home/two" | tr '\n' ' ')" '0 0 1 2 3 '
t_is "by a group of the user's, too" "$(cat "$home/lab/made")" lab

start 1 --weft-step=one ./make.sh 3
touch "$home/gate"
finish
t_is "a failed task's, too" "$STATUS $(ls "$home/one/it")" '3 0'

start 2 -N2 --weft-step=two ./make.sh 0
as alice scancel -u alice
t_until 60 none_now || t_fail 'the job can be cancelled meanwhile' "$(jobs_now)"
finish
t_is 'cancelled: status' "$STATUS" 5
t_has 'cancelled: message' "$OUT" 'outputs could not be brought back'
[ ! -e "$home/two" ] && t_ok 'cancelled: nothing is in their place' || t_fail 'cancelled: something is in their place'
start half --weft-step=one sh -c 'mkdir -p "${WEFT_OUTPUT_DIR%/*}"; head -c 300M /dev/zero | tr "\0" x >"$WEFT_OUTPUT_DIR"'
t_is 'in the middle of a copy' "$(find "$home/one" -name '.weft-part*' | grep -c .)" 1
as alice scancel -u alice
finish
t_is 'killed there: status' "$STATUS" 5
t_is 'killed there: nothing of it' "$(find "$home/one" -mindepth 1)" ''
t_until 60 idle && t_ok 'cancelled: the nodes are fine' || t_fail 'cancelled: the nodes' "$(as root sinfo)"
t_is 'cancelled: nothing is left' "$(left)" ''

start 1 --weft-step=one python3 children.py
touch "$home/gate"
finish
t_is 'the command has no child but its own' "$STATUS $OUT" '0 none'

start 1 --weft-step=one true
touch "$home/gate"
finish
t_is 'what was not made is not missed' "$STATUS $OUT" '0 '

as alice srun --weft=many.yaml --weft-step=many sh -c 'echo "$WEFT_OUTPUT_O7"' >"$T_TMP/out" 2>&1 && STATUS=0 || STATUS=$?
t_is 'too many to be told: status' "$STATUS" 0
t_has 'too many to be told: message' "$(cat "$T_TMP/out")" "can't be told of so many outputs"
t_has 'too many to be told: they are made in place' "$(cat "$T_TMP/out")" "
$home/many/0"

# A step in the step, in the same job.
start 1 -n1 --weft-step=two sh -c './make.sh 0; cat waiting 2>&1; srun --overlap --weft-bind=auto true; cat waiting 2>&1; true'
touch "$home/gate"
finish
t_is 'a step in the step brings nothing back' "$STATUS $(printf '%s\n' "$OUT" | grep -c 'No such file')" '0 2'

# A folder that is there and can't be written.
start 1 --weft-step=one ./make.sh 0
mkdir "$home/one" && chmod 555 "$home/one" && chown --reference="$home" "$home/one"
touch "$home/gate"
finish
t_is 'no place for them: status' "$STATUS" 5
t_has 'no place for them: why' "$OUT" 'Permission denied'
t_done
