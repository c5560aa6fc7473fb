# shellcheck shell=bash
# chain.sh - (a) as many write it by hand: a job a step, afterok, a look now and then.
# shellcheck disable=SC2154
job() { sbatch --parsable --ntasks=1 --mem=100M --time=1 --output="$PWD/%j.log" "$@"; }
all=''
for i in {1..12}; do
	id=$(job --partition=cpu "$HERE/step.sh" "$SIMULATE" "field.$i" "$i") || exit
	all+=:$id
done
training=$(job --partition=gpu --gpus=1 --kill-on-invalid-dep=yes --dependency="afterok$all" \
	"$HERE/step.sh" "$TRAIN" model 0 field.{1..12}) || exit
last=''
for k in {1..4}; do
	id=$(job --partition=gpu --gpus=1 --kill-on-invalid-dep=yes --dependency="afterok:$training" \
		"$HERE/step.sh" "$HYBRID" "hybrid.$k" "$k" model) || exit
	last+=,$id
done
until [ -z "$(squeue --noheader --format=%i --jobs="${last#,}")" ]; do sleep 10; done
cat hybrid.*
