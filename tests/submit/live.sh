#!/bin/bash
# live - slurmctld's half on a real, private Slurm: jobs are sized by their step, what
# was typed holds, policy is told at the terminal
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2015,SC2016 # checks never fail; the nodes expand
. "$(dirname "$0")/../lib.sh"

t_cluster "slurmctld's half" --cpu-nodes 3 --gpu-nodes 2 --hook job_submit

as() { # USER COMMAND...: in the user's home on the login host; $OUT, $ERR, $STATUS
	user=$1
	shift
	timeout 120 "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --user "$user" -- "$@" >"$T_TMP/out" 2>"$T_TMP/err" </dev/null &&
		STATUS=0 || STATUS=$?
	OUT=$(cat "$T_TMP/out") ERR=$(cat "$T_TMP/err")
}
put() { # FILE: from standard input
	cat >"$DIR/home/alice/$1"
	chown --reference="$DIR/home/alice" "$DIR/home/alice/$1"
	chmod 755 "$DIR/home/alice/$1"
}
put heat.yaml <<'END'
name: heat
steps:
  - {name: cpu, run: "true", role: simulation, resources: {ntasks: 4, time: 5m}}
  - name: gpu
    run: "true"
    role: training
    resources: {gpus: 2, gpu_type: a100, cpus_per_task: 2, mem: 1G, time: 5m}
  - name: two
    run: "true"
    resources: {nodes: 2, ntasks_per_node: 3, time: 1h, constraint: cpu, exclusive: true, exclude: c3}
  - {name: sweep, run: "true", sweep: {replicas: 5}, resources: {ntasks: 2}, max_parallel: 2}
  - {name: torch, run: "true", launch: torchrun, resources: {nodes: 2, gpus_per_node: 2, cpus_per_task: 3}}
END
put job.sh <<'END'
#!/bin/bash
env
END
W=--weft=heat.yaml

# Submits, held, and shows one job; $JOB is its description on one line.
submit() { # OPTIONS...
	as alice sbatch -H "$@" -o /dev/null job.sh
	[ "$STATUS" -eq 0 ] || { JOB="sbatch failed: $ERR" && return; }
	ID=${OUT##* }
	show "$ID"
}
show() { # JOB
	said=$ERR
	as alice scontrol show job -o "$1"
	JOB=$OUT
	ERR=$said
}
field() { # NAME
	sed -n "s|.* $1=\([^ ]*\).*|\1|p" <<<" $JOB" | head -n 1
}
fields() { # NAME...
	for f in "$@"; do printf '%s=%s ' "$f" "$(field "$f")"; done
}
# A description without what no two jobs share.
same_form() {
	sed -E 's/(Array)?JobId=[0-9_]+//g; s/(Submit|Eligible|Accrue|Start|End|Deadline|PreemptEligible)Time=[^ ]*//g;
		s/LastSchedEval=[^ ]*//; s/Priority=[0-9]+//; s/SuspendTime.*Reason/Reason/' <<<"$JOB"
}

# ---- as if typed ------------------------------------------------------------

for s in cpu gpu two sweep torch; do
	submit $W --weft-step=$s
	got=$(same_form)
	t_has "$s: what was filled is told" "$ERR" "weft: step $s: "
	as alice sh -c "sbatch -H \$(weft select heat.yaml $s) -o /dev/null job.sh"
	show "${OUT##* }"
	t_is "$s: the job is as if its options had been typed" "$got" "$(same_form)"
done
put one.sh <<'END'
#!/bin/bash
for s in cpu gpu two torch; do
	sbatch --quiet -o env.$s.weft --weft=heat.yaml --weft-step=$s job.sh
	sbatch --quiet -o env.$s.typed $(weft select heat.yaml $s) job.sh
done
END
as alice scancel -u alice
as alice ./one.sh
no_jobs() {
	as alice squeue -h
	[ -z "$OUT" ]
}
t_until 60 no_jobs || t_fail 'the jobs end' "$OUT"
plain_env() { # FILE: what differs between any two jobs, or with the option itself, is left out
	grep -vE '^(SLURM_(JOB_?ID|TASK_PID|JOB_(NODELIST|START|END).*|NODELIST|TOPOLOGY_ADDR)|SLURMD_NODENAME|HOSTNAME|WEFT_FILE|SLURM_SPANK_.*|SLURM_JOB_GPUS)=' "$DIR/home/alice/$1" | sort
}
for s in cpu gpu two torch; do
	t_has "$s: the job ran" "$(cat "$DIR/home/alice/env.$s.weft")" SLURM_JOB_ID=
	t_is "$s: the script's environment is as if typed" "$(plain_env env.$s.weft)" "$(plain_env env.$s.typed)"
done

# ---- what was typed holds -----------------------------------------------------

kept() { # NAME STEP "OPTIONS" FIELD WANT
	# shellcheck disable=SC2086 # several options
	submit $W --weft-step="$2" $3
	t_is "$1 typed: holds" "$(field "$4")" "$5"
}
kept nodes cpu -N3 NumNodes 3-3
kept ntasks cpu -n7 NumTasks 7
kept cpus cpu -c3 CPUs/Task 3
kept ntasks_per_node cpu --ntasks-per-node=2 NtasksPerN:B:S:C '2:0:*:*'
kept gpus gpu --gpus=1 TresPerJob gres:gpu:1
t_is 'gpus typed: none is added' "$(field TresPerNode)" ''
kept gpus_per_task gpu '-n1 --gpus-per-task=1' TresPerTask gres:gpu:1
kept gres gpu --gres=gpu:1 TresPerNode gres:gpu:1
kept mem gpu --mem=200M MinMemoryNode 200M
kept mem_per_cpu gpu --mem-per-cpu=70M MinMemoryCPU 70M
kept time cpu -t9 TimeLimit 00:09:00
kept partition cpu -pgpu Partition gpu
kept constraint two -Cgpu Features gpu
kept exclude two -xc1 ExcNodeList c1
kept nodelist cpu -wc2 ReqNodeList c2

kept array sweep -a7 ArrayTaskId 7
put sized.sh <<'END'
#!/bin/bash
#SBATCH --ntasks=3 --time=7
true
END
as alice sbatch -H $W --weft-step=cpu sized.sh
show "${OUT##* }"
t_is '#SBATCH lines hold' "$(fields NumTasks TimeLimit)" 'NumTasks=3 TimeLimit=00:07:00 '
as alice SBATCH_TIMELIMIT=8 sbatch -H $W --weft-step=cpu job.sh
show "${OUT##* }"
t_is "variables of sbatch's hold" "$(field TimeLimit)" 00:08:00
submit $W --weft-step=two -n4
t_is 'ntasks typed: the nodes that the file names hold' "$(fields NumNodes NumTasks)" 'NumNodes=2-2 NumTasks=4 '
submit $W --weft-step=sweep.3
t_is 'a member: no array' "$(fields NumTasks ArrayTaskId)" 'NumTasks=2 ArrayTaskId= '

# ---- jobs that are none of weft's ----------------------------------------------

as alice sh -c 'sbatch -H -n2 -t3 -o /dev/null job.sh; sbatch -H -o /dev/null --array=0-3 job.sh; sbatch -H -o /dev/null --weft=heat.yaml job.sh'
ids=$(sed 's/.* //' <<<"$OUT")
t_is 'without a step nothing is told' "$ERR" ''
with=
for i in $ids; do show "$i" && with="$with
$(same_form)"; done
as alice scancel -u alice

# ---- salloc and srun --------------------------------------------------------------

as alice salloc $W --weft-step=two sh -c 'scontrol show job -o $SLURM_JOB_ID'
JOB=$OUT
t_is 'salloc' "$(fields NumNodes NumTasks NtasksPerN:B:S:C TimeLimit Features)" \
	'NumNodes=2 NumTasks=6 NtasksPerN:B:S:C=3:0:*:* TimeLimit=01:00:00 Features=cpu '
as alice salloc -N1 $W --weft-step=cpu sh -c 'srun --weft-step=cpu sh -c "echo \$SLURM_NTASKS"'
t_is 'salloc, srun in it' "$OUT" '4
4
4
4'
as alice salloc $W --weft-step=sweep true
t_is "salloc of a sweep: a member's size" "$STATUS" 0
as alice srun $W --weft-step=two sh -c 'echo $SLURM_NTASKS of $SLURM_NNODES'
t_is 'srun alone' "$(sort -u <<<"$OUT")" '6 of 2'

# ---- het jobs ---------------------------------------------------------------------

het() { # OPTIONS...: the components' descriptions, in order
	as alice sbatch -H -o /dev/null "$@" job.sh
	[ "$STATUS" -eq 0 ] || { t_fail 'a het job is taken' "$ERR" && return; }
	as alice sh -c "scontrol show job -o ${OUT##* }"
	PARTS=$(while read -r JOB; do fields HetJobOffset Partition NumNodes NumTasks TimeLimit | sed 's/ $/\n/'; done <<<"$OUT")
}
want='HetJobOffset=0 Partition=cpu NumNodes=1-1 NumTasks=4 TimeLimit=00:05:00
HetJobOffset=1 Partition=gpu NumNodes=1-1 NumTasks=1 TimeLimit=00:05:00'
het $W --weft-step=cpu : --weft-step=gpu
t_is 'het: each component by its own step' "$PARTS" "$want"
het $W --weft-step=cpu : --weft-step=cpu -n3
t_is 'het: the same step, and what was typed' "$PARTS" 'HetJobOffset=0 Partition=cpu NumNodes=1-1 NumTasks=4 TimeLimit=00:05:00
HetJobOffset=1 Partition=cpu NumNodes=1 NumTasks=3 TimeLimit=00:05:00'
het $W --weft-step=cpu : -N2
t_is 'het: a component without a step is left alone' "$PARTS" 'HetJobOffset=0 Partition=cpu NumNodes=1-1 NumTasks=4 TimeLimit=00:05:00
HetJobOffset=1 Partition=cpu NumNodes=2-2 NumTasks=2 TimeLimit=00:30:00'
het $W : --weft-step=gpu : -n2
t_is 'het: a step in the middle' "$(sed -n 2p <<<"$PARTS")" "$(sed -n 2p <<<"$want")"
t_has 'het: the one after it is left alone' "$(sed -n 3p <<<"$PARTS")" 'Partition=cpu NumNodes=1 NumTasks=2 TimeLimit=00:30:00'
put het.sh <<'END'
#!/bin/bash
#SBATCH --weft=heat.yaml --weft-step=cpu
#SBATCH hetjob
#SBATCH --weft-step=gpu
#SBATCH hetjob
#SBATCH -n2
true
END
as alice sbatch -H -o /dev/null het.sh
as alice sh -c "scontrol show job -o ${OUT##* }"
PARTS=$(while read -r JOB; do fields HetJobOffset Partition NumNodes NumTasks TimeLimit | sed 's/ $/\n/'; done <<<"$OUT")
t_is 'het: in the script' "$(head -n 2 <<<"$PARTS")" "$want"
t_has 'het: in the script, a component without a step' "$(sed -n 3p <<<"$PARTS")" 'NumTasks=2 TimeLimit=00:30:00'
as alice sbatch -H $W --weft-step=cpu : --weft-step=sweep job.sh
t_is 'het: a sweep is refused' "$STATUS" 1
t_has 'het: a sweep: why' "$ERR" 'step sweep is a sweep of 5 members, and a heterogeneous job can'
as alice scancel -u alice

# ---- a job within a job --------------------------------------------------------------

put outer.sh <<'END'
#!/bin/bash
sbatch -H -o /dev/null job.sh
srun -n1 sbatch -H -o /dev/null job.sh
sbatch -H -o /dev/null --weft-step=cpu job.sh
END
as alice sbatch -o outer.out $W --weft-step=cpu outer.sh
outer_done() { [ "$(grep -c '^Submitted' "$DIR/home/alice/outer.out" 2>/dev/null)" = 3 ]; }
t_until 60 outer_done || t_fail 'the outer job runs' "$(cat "$DIR/home/alice/outer.out")"
n=0
for i in $(sed -n 's/^Submitted batch job //p' "$DIR/home/alice/outer.out"); do
	n=$((n + 1))
	show "$i"
	case $n in
	1) t_is 'within a job: its step is not handed down' "$(fields TimeLimit)" 'TimeLimit=00:30:00 ' ;;
	2) t_is 'within a step: it is not handed down' "$(fields TimeLimit)" 'TimeLimit=00:30:00 ' ;;
	3) t_is 'within a job: the same step, typed' "$(fields NumTasks TimeLimit)" 'NumTasks=4 TimeLimit=00:05:00 ' ;;
	esac
done
as alice scancel -u alice

# ---- forged ----------------------------------------------------------------------------

# A user may bring plug-ins of his own: whatever he likes reaches slurmctld.
gcc -shared -fPIC -o "$DIR/home/alice/forge.so" "$TOP/tests/submit/forge.c" || t_fail 'forge.c compiles'
echo "required $DIR/home/alice/forge.so" | put plugstack.conf
sed "s|^PlugStackConfig=.*|PlugStackConfig=$DIR/home/alice/plugstack.conf|" "$DIR/etc/slurm.conf" | put slurm.conf
forge() { # REQUEST [OPTIONS...]
	request=$1
	shift
	as alice SLURM_CONF="$DIR/home/alice/slurm.conf" FORGE="$request" \
		sbatch -H -o /dev/null "$@" job.sh
}
bad=0
for r in '' ' ' x weft-request-1 'weft-request-1 ' 'weft-request-1 step=a' 'weft-request-1 role=training step=a' \
	'weft-request-1 step=a role=training nodes=0' 'weft-request-1 step=a role=training nodes=-1' \
	'weft-request-1 step=a role=training nodes=99999999999999999999' 'weft-request-1 step=a role=training nodes=2 nodes=2' \
	'weft-request-1 step=a role=training ntasks=2 nodes=2' 'weft-request-1 step=a role=training evil=1' \
	'weft-request-1 step=%n%s%n role=training nodes=2x' "weft-request-1 step=a role=training gres=$(head -c 300 /dev/zero | tr '\0' a)" \
	"weft-request-1 step=$(head -c 5000 /dev/zero | tr '\0' a)"; do
	forge "$r"
	[ "$STATUS" -ne 0 ] && grep -q 'weft: ' <<<"$ERR" || {
		bad=$((bad + 1))
		echo "taken: $r: $ERR"
	}
done
t_is 'forged: what weft does not write is refused, and the user told' "$bad" 0
forge 'weft-request-2 step=a role=training'
t_has 'forged: another version' "$ERR" 'another version of weft'
forge 'weft-request-1 step=%s%n role=training ntasks=2' && t_has 'forged: no format' "$ERR" 'step %s%n: ntasks 2'
forge 'weft-request-1 step=a role=training ntasks=1000000000 cpus_per_task=65000'
got=$STATUS
as alice sbatch -H -o /dev/null -n1000000000 -c65000 job.sh
t_is 'forged: more than there is, as if typed' "$got" "$STATUS"
forge 'weft-request-1 step=a role=training partition=nowhere'
t_has 'forged: no such partition' "$ERR" 'nvalid partition'
forge 'weft-request-1 step=a role=king'
t_has 'forged: no such role' "$ERR" 'there is no role king'

# ---- policy --------------------------------------------------------------------------

restart() { # weft.conf from standard input: slurmctld reads it when it starts
	cat >"$DIR/etc/weft.conf"
	devcluster kill-node ctl -q && devcluster start-node ctl -q
	answers() { as root sinfo -h -t idle,mix,alloc -N -o %N && [ "$(sort -u <<<"$OUT" | wc -l)" = 5 ]; }
	t_until 30 answers || t_fail 'slurmctld comes back' "$(tail -n 5 "$DIR/log/slurmctld.log")"
}
refused() { # NAME PART OPTIONS...
	name=$1 part=$2
	shift 2
	as alice sbatch -H -o /dev/null $W "$@" job.sh
	t_is "$name: refused" "$STATUS" 1
	t_has "$name: the user is told why" "$ERR" "weft: $part"
	t_has "$name: so is the log" "$(tail -n 20 "$DIR/log/slurmctld.log")" "refused to uid"
}
restart <<END
command = $DIR/bin/weft
contact = help@site
[limits]
nodes = 2
gpus = 3
time = 2h
accounts = phys chem
[partition gpu]
enabled = yes
[role simulation]
account = phys
partitions = cpu
[role training]
account = chem
[role analysis]
account = phys
END
submit $W --weft-step=cpu
t_is 'policy: what is within it is taken' "$(fields NumTasks Account)" 'NumTasks=4 Account=phys '
refused nodes 'step cpu: the job asks for 3 nodes' --weft-step=cpu -N3
t_has 'nodes: what is allowed, and whom to ask' "$ERR" "the site's limit is 2; ask help@site"
refused GPUs 'step gpu: the job asks for 4 GPUs' --weft-step=gpu -N2 --gpus-per-node=2
refused time "step cpu: the job's time limit is 03:00:00" --weft-step=cpu -t180
refused account "step cpu: account art isn't allowed" --weft-step=cpu -Aart
refused partition "step cpu: partition gpu isn't for role simulation" --weft-step=cpu -pgpu
refused 'one of several partitions' "step cpu: partition gpu isn't for role simulation" --weft-step=cpu -pcpu,gpu
as alice sbatch -H -N3 -t180 -o /dev/null job.sh
t_is "a job that isn't weft's is not judged" "$STATUS" 0
as alice salloc $W --weft-step=cpu -N3 true
t_has 'salloc: told, too' "$ERR" 'the job asks for 3 nodes'
as alice srun $W --weft-step=cpu -N3 true
t_has 'srun: told, too' "$ERR" 'the job asks for 3 nodes'
as alice scancel -u alice

# sbatch would say so, too: one whose plug-in doesn't still can't do it.
refused_forged() { # NAME PART
	forge 'weft-request-1 step=cpu role=simulation ntasks=4'
	t_is "$1: refused" "$STATUS" 1
	t_has "$1: the user is told why" "$ERR" "weft: $2"
	t_has "$1: so is the log" "$(tail -n 20 "$DIR/log/slurmctld.log")" "refused to uid"
}
restart <<END
command = $DIR/bin/weft
[user alice]
enabled = no
reason = lesson 3
END
refused_forged 'a user is switched off' "$DIR/etc/weft.conf:3: weft is switched off for user alice"
as alice sbatch -H $W --weft-step=cpu -o /dev/null job.sh
t_has 'a user is switched off: by sbatch, too' "$ERR" 'lesson 3'
echo 'enabled = maybe' | restart
refused_forged 'a weft.conf that is wrong' "weft is off: slurmctld can't use $DIR/etc/weft.conf:1"
as alice sbatch -H -o /dev/null job.sh
t_is 'a weft.conf that is wrong: other jobs are taken' "$STATUS" 0
as alice scancel -u alice

# ---- as if the plug-in were not there ----------------------------------------------------

printf 'command = %s\n' "$DIR/bin/weft" >"$DIR/etc/weft.conf"
sed -i '/^JobSubmitPlugins/d' "$DIR/etc/slurm.conf"
printf 'command = %s\n' "$DIR/bin/weft" | restart
as alice sh -c 'sbatch -H -n2 -t3 -o /dev/null job.sh; sbatch -H -o /dev/null --array=0-3 job.sh; sbatch -H -o /dev/null --weft=heat.yaml job.sh'
without=
for i in $(sed 's/.* //' <<<"$OUT"); do show "$i" && without="$without
$(same_form)"; done
t_is 'jobs without a step are the same with the plug-in and without' "$with" "$without"
submit $W --weft-step=cpu
t_is 'without it a step is taken, and sizes nothing' "$STATUS $(fields NumTasks TimeLimit)" '0 NumTasks=1 TimeLimit=00:30:00 '

# ---- for another Slurm ---------------------------------------------------------------------

# The same, but for the version that it says it was compiled for.
if python3 - "$DIR/lib/job_submit_weft.so" <<'END'; then
import re, struct, sys
path = sys.argv[1]
version = re.search(r"SLURM_VERSION_NUMBER (0x[0-9a-f]+)", open("/usr/include/slurm/slurm_version.h").read())
data = bytearray(open(path, "rb").read())
number = struct.pack("<I", int(version.group(1), 16))
assert data.count(number) > 0
open(path, "wb").write(data.replace(number, struct.pack("<I", int(version.group(1), 16) + 1)))
END
	echo JobSubmitPlugins=weft >>"$DIR/etc/slurm.conf"
	devcluster kill-node ctl -q
	devcluster start-node ctl -q
	told() { grep -qi 'incompatible.*weft\|weft.*incompatible' "$DIR"/log/*slurmctld.log; }
	t_until 30 told && t_ok 'built for another Slurm: slurmctld refuses it' ||
		t_fail 'built for another Slurm: slurmctld refuses it' "$(tail -n 5 "$DIR"/log/*slurmctld.log)"
fi
t_done
