#!/usr/bin/env bash
# depend.sh - what is built again when a file changes: its users, and nothing else
. "$(dirname "$0")/../lib.sh"

copy=$T_TMP/tree
mkdir "$copy"
(cd "$TOP" && tar cf - --exclude=./build --exclude=./.git Makefile libs) | tar xf - -C "$copy"
lib=build/lib/libweft_conf.a
mk() { make -C "$copy" -j2 DEPS=no B=build "$@"; }
objects() { sed -n 's/^  CC *//p' <<<"$T_OUT" | sort | tr '\n' ' '; }
users() { (cd "$copy" && grep -l "\"$1\"" libs/conf/*.c | sort | tr '\n' ' '); }
all=$(cd "$copy" && echo libs/conf/*.c)

t_run 0 'a first build' mk $lib
t_is 'all of the room is compiled' "$(objects)" "$all "
t_run 0 'a second build' mk $lib
t_is 'nothing is compiled' "$(objects)" ''
touch "$copy/libs/conf/value.h"
t_run 0 'a private header is newer' mk $lib
t_is 'its users are compiled' "$(objects)" "$(users value.h)$(users conf/value.h)"
touch "$copy/libs/base/base.h"
t_run 0 "base's header is newer" mk $lib
t_is 'everything is compiled' "$(objects)" "$all "
touch "$copy/libs/yaml/yaml.h"
t_run 0 'a header of a room that it does not see' mk $lib
t_is 'nothing is compiled for it' "$(objects)" ''
touch "$copy/Makefile"
t_run 0 'the Makefile is newer' mk $lib
t_is 'everything is compiled for it' "$(objects)" "$all "
# A header that nobody includes any more may go (-MP).
cp "$copy/libs/conf/conf.c" "$T_TMP/conf.c"
: >"$copy/libs/conf/extra.h"
sed -i '1i #include "extra.h"' "$copy/libs/conf/conf.c"
t_run 0 'one more header' mk $lib
cp "$T_TMP/conf.c" "$copy/libs/conf/conf.c"
rm "$copy/libs/conf/extra.h"
t_run 0 'one less' mk $lib
t_is 'its user is compiled' "$(objects)" 'libs/conf/conf.c '
# An error stays one until it is mended.
echo 'no C' >>"$copy/libs/conf/conf.c"
t_run 2 'an error stops the build' mk $lib
t_run 2 'and the next one' mk $lib
cp "$T_TMP/conf.c" "$copy/libs/conf/conf.c"
t_run 0 'mended' mk $lib
t_done
