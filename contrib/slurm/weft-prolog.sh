#!/bin/sh
# weft-prolog.sh - a job's own scratch folder, made before it starts.
#
# slurm.conf: Prolog=/etc/slurm/prolog.d/*   (or call it from the site's own).
# A failing Prolog drains the node: without weft here the job goes without.
WEFT=${WEFT:-/usr/local/bin/weft}
[ -x "$WEFT" ] || exit 0
exec "$WEFT" node prolog
