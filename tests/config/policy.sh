#!/bin/bash
# policy.sh - the site's policy on a real Slurm: a user who is switched off, limits of a
# workflow and of a user, and nothing submitted of what is refused.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

t_cluster "policy on Slurm" --cpu-nodes 3 --gpu-nodes 1 --boot "$TOP/contrib/devcluster/borrowed-topology"

cat >>"$DIR/etc/weft.conf" <<E

contact = help@site.example
[limits]
nodes = 2
require_labels = project
read_roots = $DIR/home
write_roots = $DIR/home

[partition gpu]
enabled = no
reason = the cooling is repaired

[user alice]
user_nodes = 2

[user bob]
enabled = no
reason = he knows why
E
put() { # USER NAME NODES
	cat >"$DIR/home/$1/$2.yaml" <<E
name: $2
labels: {project: heat}
steps:
  - name: hold
    run: until test -e $DIR/home/$1/go; do sleep 0.2; done
    resources: {nodes: $3, time: 2m, mem: 100M}
E
	chown --reference="$DIR/home/$1" "$DIR/home/$1/$2.yaml"
}
jobs_of() { as root squeue -h -u "$1" -o %i | wc -l; }
ids() { as root scontrol show config | sed -n 's/^NEXT_JOB_ID *= *//p'; }

# ---- a user who is switched off ---------------------------------------------------

put bob small 1
before=$(ids)
t_run 6 "bob may run nothing" as bob weft run small.yaml
t_has "with the place and the reason" "$T_OUT" "weft is switched off for user bob by the site: he knows why"
t_run 6 "nor with a weft.conf of his own" as bob WEFT_CONF=/dev/null weft run small.yaml
t_has "with the same words" "$T_OUT" "he knows why"
t_run 6 "srun's options are refused to him" as bob srun --weft-bind=auto true
t_has "by the plug-in" "$T_OUT" "he knows why"
t_is "and nothing reached Slurm" "$(ids) $(jobs_of bob)" "$before 0"
t_run 0 "srun without weft is none of its business" as bob srun -n1 --mem=10M true

# ---- limits ------------------------------------------------------------------------

put alice small 1
put alice wide 3
put alice two 2
put alice gpu 1
sed -i 's/{nodes: 1/{gpus: 1, nodes: 1/' "$DIR/home/alice/gpu.yaml"
sed 's/^labels:.*//' "$DIR/home/alice/small.yaml" >"$DIR/home/alice/bare.yaml"
before=$(ids)
t_run 4 "more nodes than a workflow may hold" as alice weft submit wide.yaml
t_has "says how many it may" "$T_OUT" "its jobs can hold 3 nodes at the same time; this site allows a workflow 2"
t_run 4 "a label is missing" as alice weft submit bare.yaml
t_has "and named" "$T_OUT" "labels: {project: ...}"
t_run 4 "GPUs of a partition that is switched off" as alice weft submit gpu.yaml
t_run 4 "a partition that is named" as alice weft submit --set steps.hold.resources.partition=gpu small.yaml
t_has "with the reason" "$T_OUT" "the cooling is repaired"
t_is "nothing of it reached Slurm" "$(ids) $(jobs_of alice)" "$before 0"

# What alice has in the queue counts, what waits for another job doesn't.
t_run 0 "what is allowed runs" as alice weft submit two.yaml
t_run 4 "but not beside it what would be too much" as alice weft submit small.yaml
t_has "says what she has" "$T_OUT" "and your other jobs of weft ask for 2; this site allows a user 2"
t_run 4 "the plan says so, too" as alice weft plan small.yaml
t_run 0 "root has no such limit" as root weft plan "$DIR/home/alice/small.yaml"
touch "$DIR/home/alice/go"
over() { [ "$(jobs_of alice)" = 0 ]; }
if t_until 60 over; then t_ok "the first ends"; else t_fail "the first ends" "$(as root squeue)"; fi
t_run 0 "then the next may run" as alice weft run small.yaml

# ---- what staging may read and write ---------------------------------------------------

echo secret >"$DIR/beside.txt" && chmod 644 "$DIR/beside.txt"
ln -s "$DIR/beside.txt" "$DIR/home/alice/link.txt"
echo mine >"$DIR/home/alice/mine.txt"
cat >"$DIR/home/alice/reads.yaml" <<E
name: reads
labels: {project: heat}
vars: {name: mine.txt}
steps:
  - name: look
    inputs: [{from: "./mine.txt", as: data}]
    run: cat \${{ inputs.data }} > o.txt; \${{ raw(vars.more) }}
    outputs: {o: o.txt}
    resources: {time: 2m, mem: 100M}
vars: {more: "true"}
E
sed -i '/^vars: {name/d' "$DIR/home/alice/reads.yaml"
chown -h --reference="$DIR/home/alice" "$DIR/home/alice"/*
t_run 0 "what is below the roots is read" as alice weft run reads.yaml
before=$(ids)
sed 's|./mine.txt|./link.txt|' "$DIR/home/alice/reads.yaml" >"$DIR/home/alice/links.yaml"
t_run 5 "a link out of them is not" as alice weft submit links.yaml
t_has "says where it leads" "$T_OUT" "link.txt ($DIR/beside.txt): weft may not read there"
t_has "and what is allowed" "$T_OUT" "this site lets it read below $DIR/home; ask help@site.example"
t_run 5 "nor a run directory elsewhere" as alice weft submit --run-dir /tmp/elsewhere reads.yaml
t_has "says so" "$T_OUT" "the run directory: /tmp/elsewhere: weft may not write there"
t_is "nothing of it reached Slurm" "$(ids)" "$before"
# What is known only when it runs.
sed 's|./mine.txt|./${{ vars.name }}|; s|^vars: {more|vars: {name: link.txt, more|' \
	"$DIR/home/alice/reads.yaml" >"$DIR/home/alice/later.yaml"
t_run 5 "a path with a value in it is refused when it has one" as alice weft run later.yaml
t_has "in the record" "$T_OUT" "weft may not read there"
t_run 5 "an output that is a link out of them" as alice weft run \
	--set "vars.more=ln -sf $DIR/beside.txt o.txt" reads.yaml
t_has "says so, too" "$T_OUT" "o.txt ($DIR/beside.txt): weft may not read there"

# ---- srun's half doesn't see the option: root's does ---------------------------------

t_run 64 "root's half on the node refuses him" as bob \
	_SLURM_SPANK_OPTION_weft_weft_bind=auto srun -n1 --mem=10M true
t_has "with the site's words" "$T_OUT" "he knows why"
t_done
