#!/bin/sh
# verb.sh - weft config: every mistake of a weft.conf, and the rules that hold.
#
# tests/golden/config/NAME.VERB.expected is what is printed of NAME.conf; UPDATE=1 writes
# what is printed now.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/config" || exit 2
unset NO_COLOR SLURM_CONF WEFT_CONF

golden() { # VERB NAME
	"$WEFT" config "$1" "$2.conf" >"$T_TMP/out" 2>&1 ||
		echo "exit status $?" >>"$T_TMP/out"
	if [ -n "${UPDATE-}" ]; then
		cp "$T_TMP/out" "$2.$1.expected"
	elif cmp -s "$2.$1.expected" "$T_TMP/out"; then
		t_ok "config $1 of a $2 file"
	else
		t_fail "config $1 of a $2 file" "$(diff -u "$2.$1.expected" "$T_TMP/out")"
	fi
}
golden check bad
golden check good
golden check empty
golden show bad
golden show good
golden show empty

# Each line of the bad file that is no comment and no key of a lost section.
"$WEFT" config check bad.conf 2>&1 | sed -n 's/^bad.conf:\([0-9]*\):.*/\1/p' | sort -nu |
	tr '\n' ' ' >"$T_TMP/lines"
t_is "every wrong line is told" "$(cat "$T_TMP/lines")" "2 3 4 5 6 7 8 9 10 14 15 16 18 19 20 22 23 24 26 27 30 32 "
yes 'colour = blue' | head -n 60 >"$T_TMP/many.conf"
t_is "however many there are" "$("$WEFT" config check "$T_TMP/many.conf" 2>&1 |
	grep -c 'unknown key')" 60
t_is "WEFT_CONF is the site's file" "$(WEFT_CONF=$PWD/good.conf "$WEFT" config show |
	awk '$2 == "mpi" { print $3, $4 }')" "pmi2 $PWD/good.conf:3"
t_run 0 "no site file is no mistake" env WEFT_CONF="$T_TMP/none" "$WEFT" config check
t_has "and said" "$T_OUT" "built-in"
t_run 2 "a file that isn't there" "$WEFT" config check "$T_TMP/none"
t_run 2 "check or show" "$WEFT" config
t_run 2 "one file" "$WEFT" config show good.conf bad.conf

# The site's own file, with an /etc of this test's.
etc=$T_TMP/etc
mkdir -p "$etc/weft" && cp good.conf "$etc/weft/weft.conf" && chmod 644 "$etc/weft/weft.conf"
site() { unshare --mount sh -c 'mount --bind "$1" /etc && exec "$2" config check' sh "$etc" "$WEFT"; }
if [ "$(id -u)" = 0 ] && unshare --mount mount --bind "$etc" /etc 2>/dev/null; then
	t_run 0 "the site's file is right" site
	t_is "and named" "$T_OUT" "/etc/weft/weft.conf: no mistakes"
	chmod 666 "$etc/weft/weft.conf"
	t_run 2 "one that others may write is not" site
	t_has "and said" "$T_OUT" "/etc/weft/weft.conf"
else
	t_skip "the site's file" "needs root and a mount namespace"
fi
t_run 0 "the example of the site is right" "$WEFT" config check "$TOP/conf/weft.conf.example"
t_done
