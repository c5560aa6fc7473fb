#!/bin/sh
# plugin - what job_submit_weft.so gives slurmctld, and what it wants of it
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

so=$BUILD/job_submit_weft.so
[ ! -e "$BUILD/plain/job_submit_weft.so" ] || so=$BUILD/plain/job_submit_weft.so
if ! command -v readelf >/dev/null 2>&1 || [ ! -e "$so" ]; then
	t_skip "slurmctld's half" 'no readelf, or nothing is built'
	t_done
fi
words() { tr '\n' ' '; }
t_is 'exports' "$(nm -D --defined-only "$so" | sed 's/.* //' | grep -v '^__gcov' | sort | words)" \
	'fini init job_modify job_submit plugin_name plugin_type plugin_version '
t_is "wants of slurmctld's" "$(nm -D --undefined-only "$so" | sed 's/.* //' | grep slurm | sort | words)" \
	'slurm_env_array_overwrite slurm_error slurm_info slurm_xfree_ptr slurm_xstrdup '
t_is 'never ends its host' "$(nm -D --undefined-only "$so" | sed 's/.* //; s/@.*//' |
	grep -xE 'exit|_exit|abort|quick_exit|__assert_fail|raise|kill' | words)" ''
t_is 'libraries' "$(readelf -d "$so" | sed -n 's/.*NEEDED.*\[\(lib[a-z]*\).*/\1/p' | grep -vxE 'libc|libm|libgcov' | words)" ''
t_has 'bound when it is loaded' "$(readelf -d "$so")" NOW
t_done
