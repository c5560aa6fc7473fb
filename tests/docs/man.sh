#!/bin/sh
# man.sh - the manual pages say what the command says: verbs, options, keys.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

page=$TOP/man/weft.1

# Long options of a text, one a line: "--json".
options() { grep -oE '(^|[^a-z0-9-])--[a-z][a-z-]*' | grep -oE -e '--[a-z-]+' | sort -u; }
# Section of a verb, from its .Ss to the next heading.
section() {
	awk -v want="weft $1" '/^\.S[sh] / { on = ($1 == ".Ss" && substr($0, 5) == want) } on' "$page"
}
# Long options that a section names: ".Fl -json" is "--json"; a bare "Fl -" is the
# "--" before a command.
named() { grep -oE 'Fl -[a-z][a-z-]*' | sed 's/^Fl -/--/' | sort -u; }
missing() { comm -23 "$T_TMP/a" "$T_TMP/b" | tr '\n' ' '; }

"$WEFT" --help | awk '/^  [a-z]/ { print $1 }' | sort >"$T_TMP/a"
sed -n 's/^\.Ss weft //p' "$page" | sort >"$T_TMP/b"
t_is "verbs of weft --help that weft.1 lacks" "$(missing)" ''
verbs=$(cat "$T_TMP/a")
mv "$T_TMP/a" "$T_TMP/c" && mv "$T_TMP/b" "$T_TMP/a" && mv "$T_TMP/c" "$T_TMP/b"
t_is "verbs of weft.1 that weft --help lacks" "$(missing)" ''
t_has "weft --help lists run" "$verbs" run

for verb in $verbs; do
	# The usage, and what begins a line; the prose may name options of others.
	"$WEFT" help "$verb" | sed -n 's/^\( *-[^ ].*[^ ]\)   *[^ ].*/\1/; /^usage:/p; /^ *-/p' |
		options >"$T_TMP/a"
	section "$verb" | named >"$T_TMP/b"
	t_is "options of weft $verb that weft.1 lacks" "$(missing)" ''
	section "$verb" | grep '^\.It Fl' | named >"$T_TMP/a"
	"$WEFT" help "$verb" | options >"$T_TMP/b"
	t_is "options of weft.1 that weft $verb lacks" "$(missing)" ''
done

# The keys of weft.conf, from the tables of the room that reads it.
sed -n 's/^[[:space:]]*{[A-Z_]*(\([a-z_.]*\)), KIND_[A-Z_]*, .*/\1/p' "$TOP/libs/conf/keys.c" |
	sort -u >"$T_TMP/a"
sed -n 's/^\.It Cm \([a-z_.]*\) .*/\1/p' "$TOP/man/weft.conf.5" | sort -u >"$T_TMP/b"
if [ -s "$T_TMP/a" ]; then
	t_is "keys of weft.conf that weft.conf.5 lacks" "$(missing)" ''
else
	t_fail "keys of weft.conf" "no key found in libs/conf/keys.c"
fi

# Exit statuses that the command knows stand in weft.1.
for n in 0 1 2 3 4 5 6 7; do
	t_has "exit status $n" "$(awk '/^\.Sh/ { on = /EXIT STATUS/ } on' "$page")" ".It $n"
done

if command -v mandoc >/dev/null 2>&1; then
	for page in "$TOP"/man/*.[1-9]; do
		t_is "mandoc -Tlint ${page##*/}" "$(mandoc -Tlint -W warning "$page" 2>&1)" ''
	done
else
	t_skip "mandoc -Tlint" "mandoc is not installed"
fi

t_done
