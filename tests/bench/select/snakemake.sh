# shellcheck shell=bash
# snakemake.sh - (c) Snakemake 7, which submits what is ready and looks at files.
# shellcheck disable=SC2154
snakemake --quiet all --snakefile "$HERE/Snakefile" --jobs 20 --latency-wait 20 \
	--cluster "sbatch --parsable --ntasks=1 --mem=100M --time=1 --output=$PWD/%j.log {resources.where}" \
	>snakemake.log 2>&1 || {
	tail -n 20 snakemake.log >&2
	exit 1
}
cat hybrid.*
