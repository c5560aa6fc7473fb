#!/bin/bash
# live - the plug-in on a real, private Slurm: two ordinary users, under `optional`
# and `required`
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2015,SC2016 # checks never fail; the nodes expand
. "$(dirname "$0")/../lib.sh"

t_cluster "the plug-in under Slurm" --cpu-nodes 1 --gpu-nodes 1 --cpus-per-node 2 --optional

as() { # USER COMMAND...: in the user's home on the login host; $OUT, $ERR, $STATUS
	user=$1
	shift
	timeout 120 "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --user "$user" -- "$@" >"$T_TMP/out" 2>"$T_TMP/err" </dev/null &&
		STATUS=0 || STATUS=$?
	OUT=$(cat "$T_TMP/out") ERR=$(cat "$T_TMP/err")
}
put() { # USER FILE: from standard input
	cat >"$DIR/home/$1/$2"
	chown --reference="$DIR/home/$1" "$DIR/home/$1/$2"
	chmod 755 "$DIR/home/$1/$2"
}
nodes_are_fine() { # NAME
	as root sinfo -h -o '%T'
	t_is "$1: no node was drained" "$(printf '%s\n' "$OUT" | sed 's/[*+~#]$//' | grep -vE '^(idle|mixed|allocated|completing)$')" ''
}

for u in alice bob; do
	put $u heat.yaml <<-'END'
		name: heat
		env: {FROM_TOP: top}
		steps:
		  - name: train
		    run: "true"
		    env: {GREETING: "it's $(id) \"x\""}
		    inputs: [{from: ./heat.yaml, as: self}]
		    outputs: {model: model.pt}
		    resources: {ntasks: 2, cpus_per_task: 1, time: 3m}
		  - name: gpu
		    run: "true"
		    resources: {ntasks: 2, gpus_per_task: 1, partition: gpu, time: 3m}
		  - name: one
		    run: "true"
		    resources: {ntasks: 1, cpus_per_task: 1, time: 3m}
		  - name: onegpu
		    run: "true"
		    resources: {ntasks: 1, cpus_per_task: 1, gpus_per_task: 1, partition: gpu, time: 3m}
		  - name: near
		    run: "true"
		    inputs: [{from: ./heat.yaml, as: self, to: node}]
		    resources: {gpus: 2, partition: gpu, time: 3m}
		  - name: made
		    run: "true"
		    scratch: node
		    inputs: [{from: ./heat.yaml, as: self, to: memory}]
		    outputs: {model: made/model.pt, dir: made/dir, none: made/none}
		    resources: {ntasks: 1, time: 3m}
	END
	put $u run.yaml <<-'END'
		name: run
		steps:
		  - {name: two, command: [hostname], launch: srun, resources: {ntasks: 2, mem: 100M, time: 3m, partition: cpu}}
	END
	put $u bad.yaml <<-'END'
		name: heat
		steps:
		  - name: train
		    run: "true"
		    resources: {ntaks: 2}
	END
	put $u show <<-'END'
		#!/bin/sh
		echo "$SLURM_PROCID cpus $(sed -n 's/Cpus_allowed_list:	//p' /proc/self/status)" \
			"of $SLURM_NTASKS omp $OMP_NUM_THREADS gpu $CUDA_VISIBLE_DEVICES step $WEFT_STEP" \
			"greeting $GREETING top $FROM_TOP in $WEFT_INPUT_SELF out $WEFT_OUTPUT_MODEL"
	END
	put $u make.sh <<-'END'
		#!/bin/sh
		echo "$WEFT_OUTPUT_MODEL $WEFT_INPUT_SELF"
		cat "$WEFT_INPUT_SELF" >"$WEFT_OUTPUT_MODEL"
		mkdir -p "$WEFT_OUTPUT_DIR/sub" && echo "${1-}" >"$WEFT_OUTPUT_DIR/sub/.$1"
	END
	put $u made.sh <<-'END'
		#!/bin/bash
		srun --weft-step=made ./make.sh two; echo "status $?"
		ls -A made made/dir/sub
	END
	put $u job.sh <<-'END'
		#!/bin/bash
		srun ./show; echo "plain $?"
		srun --weft-step=train ./show; echo "step $?"
		weft exec train -- ./show; echo "exec $?"
	END
	# Two steps at once: each is placed for one CPU of the two that both may use.
	put $u two.sh <<-'END'
		#!/bin/bash
		rm -f up
		srun --overlap -n1 -c2 --weft-step=one sh -c './show >first; echo >up; until [ -e down ]; do sleep 0.1; done' &
		until [ -s up ]; do sleep 0.1; done
		srun --overlap -n1 -c2 --weft-step=one sh -c './show; weft bind --others; weft bind --verify'
		touch down; wait; cat first; rm down
	END
	put $u gpus.sh <<-'END'
		#!/bin/bash
		rm -f up
		run='srun --overlap -n1 -c2 --gpus=2 --weft-step=onegpu'
		$run sh -c 'echo "$CUDA_VISIBLE_DEVICES $WEFT_PLACED" >first; echo >up; until [ -e down ]; do sleep 0.1; done' &
		until [ -s up ]; do sleep 0.1; done
		$run sh -c 'echo "$CUDA_VISIBLE_DEVICES $WEFT_PLACED"; weft bind --verify'
		touch down; wait; cat first; rm down
	END
	put $u touch.sh <<-'END'
		#!/bin/sh
		touch "$HOME/ran"
	END
done

not_run() { # NAME USER
	[ ! -e "$DIR/home/$2/ran" ] && t_ok "$1: nothing was run" || t_fail "$1: it was run"
	rm -f "$DIR/home/$2/ran"
}

round() { # MODE USER
	n="$1, $2"
	home=$DIR/home/$2

	as "$2" srun ./show
	t_is "$n: an srun without options is left alone" "$STATUS ${OUT#* cpus *of}" '0  1 omp  gpu  step  greeting  top  in  out '

	as "$2" srun --weft=heat.yaml --weft-step=train ./show
	t_is "$n: fresh srun: status" "$STATUS" 0
	t_is "$n: fresh srun: two tasks, a core each" "$(printf '%s\n' "$OUT" | sort | cut -d' ' -f1-8 | tr '\n' ';')" \
		'0 cpus 0 of 2 omp 1 gpu;1 cpus 1 of 2 omp 1 gpu;'
	t_has "$n: environment, unharmed" "$OUT" "greeting it's \$(id) \"x\" top top"
	t_has "$n: input" "$OUT" "in $home/heat.yaml"
	t_has "$n: output" "$OUT" "out $home/model.pt"
	as "$2" srun -n1 --weft=heat.yaml --weft-step=train ./show
	t_has "$n: what is typed holds" "$OUT" 'of 1 omp'

	as "$2" srun --weft=bad.yaml --weft-step=train ./touch.sh
	t_is "$n: bad file: status" "$STATUS" 3
	t_has "$n: bad file: message" "$ERR" 'bad.yaml:5:'
	t_has "$n: bad file: hint" "$ERR" 'ntasks'
	not_run "$n: bad file" "$2"
	as "$2" srun --weft=heat.yaml --weft-step=trian ./touch.sh
	t_is "$n: no such step: status" "$STATUS" 2
	t_has "$n: no such step: hint" "$ERR" "did you mean 'train'"
	not_run "$n: no such step" "$2"
	as "$2" sbatch --weft=bad.yaml touch.sh
	t_is "$n: sbatch of a bad file: status" "$STATUS" 3
	not_run "$n: sbatch of a bad file" "$2"

	as "$2" WEFT_TICKET=forged srun -n2 --weft-bind=auto ./touch.sh
	t_is "$n: forged ticket: status" "$STATUS" 64
	t_has "$n: forged ticket: message" "$ERR" 'nothing was run'
	not_run "$n: forged ticket" "$2"
	as "$2" srun --export=NONE --weft=heat.yaml --weft-step=train ./touch.sh
	[ "$STATUS" -eq 0 ] && t_has "$n: --export=NONE" "$(ls "$home")" ran ||
		t_has "$n: --export=NONE says so" "$ERR" 'WEFT_TICKET is missing'
	rm -f "$home/ran"

	as "$2" srun --weft=heat.yaml --weft-step=train --weft-dry-run ./touch.sh
	t_is "$n: dry run: status" "$STATUS" 0
	t_has "$n: dry run: sizes" "$OUT" 'SLURM_NTASKS=2'
	not_run "$n: dry run" "$2"
	as "$2" srun --weft=heat.yaml --weft-step=gpu ./show
	t_is "$n: GPU step: where the file says" "$STATUS $(printf '%s\n' "$OUT" | grep -c 'of 2')" '0 2'

	as "$2" srun --weft=heat.yaml --weft-step=near sh -c 'echo "$WEFT_INPUT_SELF"; cat "$WEFT_INPUT_SELF"'
	t_has "$n: input on the node" "$OUT" '/scratch/weft/'
	t_has "$n: input on the node, whole" "$OUT" "$(cat "$home/heat.yaml")"

	as "$2" srun --weft=heat.yaml --weft-step=made ./make.sh one
	t_has "$n: outputs are made on the node" "$OUT" '/scratch/weft/'
	t_has "$n: from an input in its memory" "$OUT" '/dev/shm/weft/'
	t_is "$n: and are there when srun ends" "$STATUS $(cmp "$home/made/model.pt" "$home/heat.yaml" && ls -A "$home/made" "$home/made/dir/sub" | tr '\n' ' ')" \
		"0 $home/made: dir model.pt  $home/made/dir/sub: .one "
	t_is "$n: as the user's" "$(stat -c %U "$home/made/dir/sub/.one" 2>/dev/null || stat -c %u "$home/made/dir/sub/.one")" "$(stat -c %U "$home")"
	as "$2" sh -c 'sbatch -W -n1 -o made.out --weft=heat.yaml made.sh >/dev/null; cat made.out'
	t_is "$n: in a job, beside what is there" "$(printf '%s\n' "$OUT" | sed 1d | tr '\n' ' ')" \
		'status 0 made: dir model.pt  made/dir/sub: .one .two '
	chmod 555 "$home/made"
	as "$2" sh -c 'salloc -Q -n1 srun --weft=heat.yaml --weft-step=made ./make.sh three'
	t_is "$n: what can't be brought back is no success" "$STATUS" 5
	t_has "$n: and is told" "$ERR" 'outputs could not be brought back'
	rm -rf "$home/made"
	t_is "$n: nothing of it stays on the nodes" "$(devcluster sh --node c1 -- find /scratch/weft /dev/shm -type f ! -name '.[0-9]*')" ''

	as "$2" sh -c 'sbatch -W -n1 -c2 -o job.out --weft=heat.yaml job.sh >/dev/null; cat job.out'
	t_has "$n: job: plain srun" "$OUT" 'plain 0'
	t_is "$n: job: plain srun is left alone" "$(printf '%s\n' "$OUT" | sed '/^plain/,$d' | grep -c 'omp  gpu  step  ')" 1
	t_has "$n: job: the difference is said" "$OUT" 'step train asks for ntasks 2, the job 1'
	t_has "$n: job: step" "$OUT" 'step 0'
	t_has "$n: job: exec" "$OUT" 'exec 0'
	t_is "$n: job: exec has the file's tasks" "$(printf '%s\n' "$OUT" | sed '1,/^step/d' | grep -c 'of 2 omp 1')" 2

	as "$2" srun --weft=heat.yaml --weft-step=train weft bind --verify
	t_is "$n: verify: as planned" "$STATUS $OUT" '0 as planned
as planned'
	as "$2" srun --weft=heat.yaml --weft-step=train sh -c 'taskset -cp 0-1 $$ >/dev/null; weft bind --verify'
	t_is "$n: verify: moved since" "$STATUS $(printf '%s\n' "$OUT" | sort)" '1 cpus 0-1, planned 0
cpus 0-1, planned 1'
	as "$2" sh -c 'sbatch -W -n2 -o two.out --weft=heat.yaml two.sh >/dev/null; cat two.out'
	t_is "$n: a second step is placed around the first" \
		"$(printf '%s\n' "$OUT" | cut -d' ' -f1-3 | tr '\n' ';')" '0 cpus 1;cpus=0;gpus=;as planned;0 cpus 0;'
	as "$2" sh -c 'weft run run.yaml >/dev/null; sed -n "s/^ *\"\(task.*\)\",*$/\1/p" weft-runs/run/1/steps/two/done.json'
	t_is "$n: the engine's record says what each task was given" "$OUT" 'task 0: cpus 0 numa 0 applied, verified
task 1: cpus 1 numa 0 applied, verified'
	nodes_are_fine "$n"
}
round optional alice
devcluster up -q --cpu-nodes 1 --gpu-nodes 1 --cpus-per-node 2 --build "$BUILD" --required >"$T_TMP/up" 2>&1 || t_fail 'required' "$(cat "$T_TMP/up")"
t_has 'required' "$(cat "$DIR"/plugstack.conf.d/weft.conf)" required
round required bob

# ---- a node that claims to be another machine, one with GPUs -------------------

cp "$TOP/tests/golden/place/dgx-h100.model" "$DIR/home/bob/model"
devcluster sh --user root --node g1 -- \
	weft topo cache --dir=/run/weft --from "$DIR/home/bob/model" >"$T_TMP/cache" 2>&1 ||
	t_fail 'a borrowed topology' "$(cat "$T_TMP/cache")"
as bob sh -c 'sbatch -W -n1 -c2 -p gpu --gpus=2 -o gpus.out --weft=heat.yaml gpus.sh >/dev/null; cat gpus.out'
t_is 'GPUs: a second step has the other one' \
	"$(printf '%s\n' "$OUT" | sed 's/by=[^ ]* host=[^ ]* //; s/memory=.* show/show/')" \
	'1 1 borrowed=1 show=CUDA_VISIBLE_DEVICES=1 around=0 avoid=0000:1b:00.0
as planned; not applied: borrowed topology
0 1 borrowed=1 show=CUDA_VISIBLE_DEVICES=0 around= avoid='

# ---- what one user can do to another, or to root -----------------------------

as alice sh -c 'mkfifo fifo; ln -s /etc/shadow link; for f in fifo link /proc/self/mem /dev/zero; do
	timeout 20 srun --weft=$f --weft-step=train true; echo "$?"; done'
t_is 'odd files: none runs' "$(printf '%s\n' "$OUT" | grep -c '^0$')" 0
case $ERR in *root:*) t_fail 'a file that the user may not read is told' ;; *) t_ok 'a file that the user may not read is not told' ;; esac
as alice WEFT_CONF="$DIR/home/alice/mine.conf" srun --weft-bind=auto -n1 true
t_is "the user's WEFT_CONF means nothing to the node" "$STATUS" 0
nodes_are_fine 'at the end'
t_done
