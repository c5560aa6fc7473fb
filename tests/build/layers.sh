#!/usr/bin/env bash
# layers.sh - check-layers holds on this tree, and notices each kind of violation
. "$(dirname "$0")/../lib.sh"

# A copy, with the objects and archives of this tree so that they need not be made
# again; tar keeps their times.
copy=$T_TMP/tree
mkdir -p "$copy/build"
(cd "$TOP" && tar cf - --exclude=./build --exclude=./.git .) | tar xf - -C "$copy"
for d in obj/libs lib; do
	[ ! -d "$TOP/build/$d" ] || (cd "$TOP" && tar cf - "build/$d") | tar xf - -C "$copy"
done
layers() { make -C "$copy" -s -j2 DEPS=no VARIANT=release B=build check-layers; }

t_run 0 'this tree keeps to its layers' layers
t_has 'it says how many rooms' "$T_OUT" 'each sees only what it may'

# plant FILE LINE NAME PART: with LINE at its end, FILE breaks a rule.
plant() {
	cp "$copy/$1" "$T_TMP/saved"
	printf '%s\n' "$2" >>"$copy/$1"
	t_run 2 "$3" layers
	t_has "$3: says where" "$T_OUT" "$4"
	cp "$T_TMP/saved" "$copy/$1"
}
plant libs/base/clock.c '#include "conf/conf.h"' 'base includes conf' \
	'libs/base/clock.c includes conf/conf.h'
plant libs/ticket/ticket.c '#include "base/../yaml/yaml.h"' 'a way around' 'yaml'
plant libs/conf/conf.c '#include <jansson.h>' 'a library outside its home' \
	'libs/conf/conf.c includes <jansson.h>'
plant plugin/spank/options.c '#include "yaml/yaml.h"' 'the plug-in includes yaml' \
	'plugin/spank/options.c includes yaml/yaml.h'
plant libs/conf/conf.c 'int weft_yaml_load(void); int weft_sneak(void); int weft_sneak(void) { return weft_yaml_load(); }' \
	'links what it may not see' 'weft_yaml_load'
t_run 0 'without them it holds again' layers
t_done
