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
golden_user() { # USER NAME
	"$WEFT" config show --user "$1" "$2.conf" >"$T_TMP/out" 2>&1
	if [ -n "${UPDATE-}" ]; then
		cp "$T_TMP/out" "$2.$1.expected"
	elif cmp -s "$2.$1.expected" "$T_TMP/out"; then
		t_ok "what holds for $1"
	else
		t_fail "what holds for $1" "$(diff -u "$2.$1.expected" "$T_TMP/out")"
	fi
}
golden_user bob good
golden_user alice good
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
t_is "--json has every rule" "$("$WEFT" config show --json good.conf |
	grep -c '"key":')" "$("$WEFT" config show good.conf | tail -n +2 | wc -l)"
t_has "with its value and place" "$("$WEFT" config show --json good.conf |
	tr -d ' \n')" '"section":"limits","name":null,"key":"nodes","value":"16","file":"good.conf","line":19'
t_run 2 "--user is of show" "$WEFT" config check --user bob good.conf
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
	# What a user reads instead can't lift the site's policy; root's can.
	printf 'mpi = pmix\nenabled = yes\n[user bob]\nenabled = yes\n[limits]\nnodes = 99\n' \
		>"$T_TMP/own.conf"
	chmod 755 "$T_TMP" && chmod 644 "$T_TMP/own.conf"
	show_as() { # UID: the rules with a weft.conf of one's own
		unshare --mount sh -c 'mount --bind "$1" /etc && shift && exec "$@"' sh "$etc" \
			setpriv --reuid "$1" --regid "$1" --clear-groups \
			env WEFT_CONF="$T_TMP/own.conf" "$T_TMP/weft" config show
	}
	cp "$WEFT" "$T_TMP/weft"
	rules=$(show_as 65534)
	t_is "the site's limit holds" "$(echo "$rules" | awk '$1 == "limits" && $2 == "nodes" { print $3, $4 }')" \
		"16 /etc/weft/weft.conf:19"
	t_is "and who is off stays off" "$(echo "$rules" | awk '$2 == "bob" && $3 == "enabled" { print $4, $5 }')" \
		"no /etc/weft/weft.conf:23"
	t_is "the rest is the user's" "$(echo "$rules" | awk '$2 == "mpi" { print $3, $4 }')" \
		"pmix $T_TMP/own.conf:1"
	t_is "root's other file counts whole" "$(show_as 0 | awk '$1 == "limits" && $2 == "nodes" { print $3, $4 }')" \
		"99 $T_TMP/own.conf:6"
	chmod 666 "$etc/weft/weft.conf"
	t_run 2 "a site's file that others may write is refused to all" \
		unshare --mount sh -c 'mount --bind "$1" /etc && exec "$2" config show' sh "$etc" "$WEFT"
	t_is "and is nobody's policy" "$(show_as 65534 | awk '$1 == "limits" && $2 == "nodes" { print $3, $4 }')" \
		"99 $T_TMP/own.conf:6"
	t_run 2 "one that others may write is not" site
	t_has "and said" "$T_OUT" "/etc/weft/weft.conf"
else
	t_skip "the site's file" "needs root and a mount namespace"
fi
# What is refused is told to the admin, by the system's log: here one of this test's own.
dev=$T_TMP/dev
mkdir "$dev"
cat >"$T_TMP/listen.py" <<E
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + "/log")
s.settimeout(30)
open(sys.argv[1] + "/ready", "w").close()
print(s.recv(4096).decode("latin-1"))
E
printf 'name: plain\nsteps: [{name: a, run: x}]\n' >"$T_TMP/plain.yaml"
printf '[user %s]\nenabled = no\n' "$(id -un)" >"$T_TMP/off.conf"
refused() { # FILE: what the log is told
	rm -rf "${dev:?}"/*
	mknod -m 666 "$dev/null" c 1 3
	python3 "$T_TMP/listen.py" "$dev" >"$T_TMP/log" 2>&1 &
	listener=$!
	t_until 20 test -e "$dev/ready" || return 1
	unshare --mount sh -c 'mount --bind "$1" /dev && shift && exec "$@"' sh "$dev" \
		env WEFT_CONF="$T_TMP/off.conf" "$WEFT" run "$1" >"$T_TMP/out" 2>&1
	status=$?
	wait "$listener"
}
if [ "$(id -u)" = 0 ] && mknod -m 666 "$dev/null" c 1 3 && unshare --mount mount --bind "$dev" /dev 2>/dev/null; then
	refused "$T_TMP/plain.yaml"
	t_is "who is switched off is refused" "$status" 6
	t_has "and the admin told, in one line" "$(cat "$T_TMP/log")" \
		"weft: refused user=\"$(id -un)\" uid=0 workflow=\"plain\" rule=\"user.enabled\" value=\"no\""
	t_is "of the right kind: authpriv.notice" "$(cut -c1-4 "$T_TMP/log")" "<85>"
else
	t_skip "the system's log" "needs root and a mount namespace"
fi
t_run 0 "the example of the site is right" "$WEFT" config check "$TOP/conf/weft.conf.example"
t_done
