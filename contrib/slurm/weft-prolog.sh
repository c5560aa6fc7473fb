#!/bin/sh
# weft-prolog.sh - before a job starts: its own scratch folder, and the topology cache
# where the boot didn't make one (conf/weft-topology.service) or it holds no more.
#
# slurm.conf: Prolog=/etc/slurm/prolog.d/*   (or call it from the site's own).
# A failing Prolog drains the node: without weft here the job goes without.
WEFT=${WEFT:-/usr/local/bin/weft}
[ -x "$WEFT" ] || exit 0
timeout 60 "$WEFT" topo cache --once --timeout 50 >/dev/null ||
	echo "weft-prolog: no topology cache: each step finds the machine anew" >&2
exec "$WEFT" node prolog
