#!/bin/sh
# fields.sh - the parser, conf/weft.schema.json and the table in weft-workflow(5) know
# the same keys: what is in the repository is what the parser's table gives.
. "$(dirname "$0")/../lib.sh"

page=$TOP/man/weft-workflow.5
"$WEFT" schema >"$T_TMP/schema"
t_run 0 "the schema is that of the table (else: make schema)" \
	cmp "$T_TMP/schema" "$TOP/conf/weft.schema.json"
"$WEFT" schema --mdoc >"$T_TMP/rows"
sed -n '/^\.\\" BEGIN fields/,/^\.\\" END fields/p' "$page" | sed '1d;$d' >"$T_TMP/page"
t_run 0 "the page has a table" test -s "$T_TMP/page"
t_run 0 "the table of the page is that of the parser (else: make schema)" \
	cmp "$T_TMP/rows" "$T_TMP/page"
BUILD=$BUILD "$TOP/tests/fields-man" >"$T_TMP/again"
t_run 0 "making the page again changes nothing" cmp "$T_TMP/again" "$page"

# The other way round: a key that the parser does not know is in neither.
t_run 3 "an unknown key is refused" "$WEFT" check "$TOP/tests/golden/check/unknown-step.yaml"
if grep -q '"rn"' "$TOP/conf/weft.schema.json"; then
	t_fail "the schema has no key that the parser does not know"
else
	t_ok "the schema has no key that the parser does not know"
fi
t_done
