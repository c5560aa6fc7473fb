#!/usr/bin/env bash
# install.sh - make install puts files where the GNU names say, and uninstall takes
# them away
. "$(dirname "$0")/../lib.sh"

if [ ! -x "$WEFT" ] || [ ! -f "$BUILD/weft.so" ]; then
	t_skip install 'nothing is built'
	t_done
fi
mk() { make -C "$TOP" -s DEPS=no VARIANT="${VARIANT:-release}" "$@"; }
dest=$T_TMP/dest
names=(DESTDIR="$dest" prefix=/opt/weft slurmplugindir=/opt/slurm/lib)

t_run 0 'make install' mk install "${names[@]}"
there() {
	if [ "$(stat -c %a "$dest$1" 2>/dev/null)" = "$2" ]; then
		t_ok "$1"
	else
		t_fail "$1" "not there with mode $2: $(ls -l "$dest$1" 2>&1)"
	fi
}
there /opt/weft/bin/weft 755
there /opt/slurm/lib/weft.so 755
there /opt/slurm/lib/job_submit_weft.so 755
there /opt/weft/share/man/man1/weft.1 644
there /opt/weft/share/man/man5/weft-workflow.5 644
there /opt/weft/share/man/man5/weft.conf.5 644
there /opt/weft/share/man/man8/weft-spank.8 644
there /opt/weft/share/weft/weft.conf.example 644
there /opt/weft/share/weft/weft.schema.json 644
there /opt/weft/share/doc/weft/LICENSE 644
t_is 'nothing beside prefix and the plug-in folder' \
	"$(cd "$dest" && find . -mindepth 2 -maxdepth 2 | sort | tr '\n' ' ')" './opt/slurm ./opt/weft '
t_run 0 'the installed command runs' "$dest/opt/weft/bin/weft" --version
t_run 0 'make install again' mk install "${names[@]}"
t_run 0 'make uninstall' mk uninstall "${names[@]}"
t_is 'no file stays' "$(find "$dest" -type f)" ''

t_run 0 'each folder by its own name' mk install DESTDIR="$dest" prefix=/p bindir=/q/bin \
	mandir=/q/man docdir=/q/doc datadir=/q/data slurmplugindir=/q/slurm
there /q/bin/weft 755
there /q/man/man1/weft.1 644
there /q/doc/README.md 644
there /q/data/weft/weft.conf.example 644
there /q/slurm/weft.so 755
t_is 'nothing left in prefix' "$(find "$dest/p" -type f 2>/dev/null)" ''
t_done
