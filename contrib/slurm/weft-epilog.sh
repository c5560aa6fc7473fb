#!/bin/sh
# weft-epilog.sh - removes a job's own scratch folder once it has ended.
#
# slurm.conf: Epilog=/etc/slurm/epilog.d/*   (or call it from the site's own).
WEFT=${WEFT:-/usr/local/bin/weft}
[ -x "$WEFT" ] || exit 0
exec "$WEFT" node epilog
