#!/bin/bash
# Jobs that end before their work does: what can't be done in the time that is left goes on
# in another job, which is killed by nobody; and what follows waits for that.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

# LONG=1: as many and as long as the project's bar asks for.
members=30 seconds=5 wide=2
[ -z "${LONG-}" ] || { members=120 wide=4; }
t_cluster "jobs that take over" --gpu-nodes 0
home=$DIR/home/alice
cat >"$home/wall.yaml" <<E
#!/usr/bin/env weft
#SBATCH --time=1
name: wall
steps:
  - name: m
    sweep: {i: {range: [1, $members]}}
    resources: {time: 20s, mem: 10M}
    run: |
      echo "begin \${{ params.i }} \$SLURM_JOB_ID" >>$home/log
      sleep $seconds
      echo "end \${{ params.i }} \$SLURM_JOB_ID" >>$home/log
  - name: after
    depends: [m]
    resources: {time: 20s, mem: 10M}
    run: echo "after 0 \$SLURM_JOB_ID" >>$home/log
E
chown --reference="$home" "$home/wall.yaml"
as alice sbatch -Q -n $wide wall.yaml
over() { as alice weft status --json --offline wall 2>/dev/null | grep -q '"finished": true'; }
t_until $((90 + members * seconds * 2 / wide)) over || t_fail "the run ends" "$(as alice weft status wall; cat "$home"/slurm-*.out)"
t_run 0 "a run in jobs of a minute goes well" as alice weft status wall
t_is "all members have begun once, none was killed" \
	"$(awk '{ n[$1 " " $2]++ } END { for (k in n) if (n[k] != 1) print k, n[k] }' "$home/log")" ""
t_is "and have ended" "$(grep -c ^end "$home/log")" "$members"
t_is "in as many jobs as it takes, one at a time" \
	"$(awk '$1 == "begin" && !seen[$3]++ { jobs++ } END { print (jobs >= 2) }' "$home/log")" 1
t_is "what depends on them came last" "$(tail -n 1 "$home/log" | cut -d ' ' -f 1)" after
t_is "nothing stays queued" "$(as alice squeue -h)" ""

# ---- a job that Slurm starts again ------------------------------------------------------
cat >"$home/again.yaml" <<E
#!/usr/bin/env weft
#SBATCH --time=5 --requeue --ntasks=2 --output=$home/again.out
name: again
steps:
  - name: m
    sweep: {i: {range: [1, 8]}}
    resources: {time: 20s, mem: 10M}
    run: |
      echo "\${{ params.i }} begin" >>$home/again.log
      n=0; until [ -e $home/go ] || [ \${{ params.i }} -lt 3 ] || [ \$((n++)) = 150 ]; do sleep 0.1; done
      echo "\${{ params.i }} end" >>$home/again.log
  - {name: after, depends: [m], resources: {time: 20s, mem: 10M}, run: "true"}
E
chown --reference="$home" "$home/again.yaml"
for nodes in 1 2; do
	rm -f "$home/again.log" "$home/go"
	job=$(as alice sbatch --parsable -N $nodes again.yaml)
	some() { [ -e "$home/again.log" ] && [ "$(grep -c begin "$home/again.log")" -ge 4 ]; }
	t_until 60 some || t_fail "members begin" "$(as alice squeue; cat "$home/again.out")"
	as alice weft status --follow again >"$T_TMP/followed" 2>&1 &
	follower=$!
	as alice scontrol requeue "$job"
	waits() { as alice squeue -h -j "$job" -t PENDING -o %i | grep -q .; }
	t_until 60 waits || t_fail "the job waits again" "$(as alice squeue)"
	t_is "a run whose job waits to be started again isn't over ($nodes)" \
		"$(as alice weft status --json again | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["finished"], d["steps"][0]["done"])')" "False 2"
	touch "$home/go"
	as alice scontrol update "JobId=$job" StartTime=now
	wait $follower
	t_is "who follows it sees its end ($nodes)" "$?" 0
	t_run 0 "a job that is requeued goes on with its run" as alice weft status again
	t_is "each in its own ($nodes)" "$(find "$home/weft-runs/again" -mindepth 1 -maxdepth 1 | wc -l)" $nodes
	t_is "no member is lost or repeated ($nodes)" "$(grep end "$home/again.log" | sort -n | cut -d ' ' -f 1 | tr '\n' ' ')" "1 2 3 4 5 6 7 8 "
	t_is "but for those that were ended ($nodes)" "$(grep -c begin "$home/again.log")" 10
done
t_done
