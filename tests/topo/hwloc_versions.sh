#!/bin/sh
# hwloc_versions.sh - the same models whatever hwloc reads them.
#
# The models in tests/golden/topo are what hwloc 2.9, 2.12, 2.14 and 2.15 give; the one that is
# installed must, too.  Others are tried where WEFT_HWLOC_LIB names them: folders, with
# blanks between, each with a libhwloc.so.15, and with an ld-linux*.so* where the
# library wants another libc than this system's (a package of a newer Debian unpacked,
# with its libc6).  TOPO=FOLDER adds XML files of yours, compared between the versions.
. "$(dirname "$0")/../lib.sh"
cd "$TOP/tests/golden/topo" || exit 2

# dump LIBRARIES XML: with the hwloc of that folder, the installed one for "".
dump() {
	loader=""
	for f in ${1:+"$1"/ld-linux*.so*}; do [ ! -x "$f" ] || loader=$f; done
	if [ -n "$loader" ]; then
		"$loader" --library-path "$1" "$WEFT" topo dump --xml "$2"
	else
		LD_LIBRARY_PATH=$1 "$WEFT" topo dump --xml "$2"
	fi
}

# try NAME LIBRARIES: every machine's model is the golden one.
try() {
	bad="" n=0
	for xml in *.xml; do
		model=${xml%.xml}
		dump "$2" "$xml" >"$T_TMP/got" 2>&1
		cmp -s "$T_TMP/got" "${model%-hwloc1}.model" || bad="$bad $xml"
		n=$((n + 1))
	done
	for xml in ${TOPO:+"$TOPO"/*.xml}; do
		dump "$2" "$xml" >"$T_TMP/got" 2>&1
		dump '' "$xml" >"$T_TMP/want" 2>&1
		cmp -s "$T_TMP/got" "$T_TMP/want" || bad="$bad $xml"
		n=$((n + 1))
	done
	t_is "$1: $n machines" "$bad" ''
}

try 'the installed hwloc' ''
folders=${WEFT_HWLOC_LIB-}
if [ -z "$folders" ]; then
	for f in /usr/local/lib*/libhwloc.so.15 /opt/hwloc*/lib*/libhwloc.so.15; do
		[ ! -e "$f" ] || folders="$folders ${f%/*}"
	done
fi
for f in $folders; do try "hwloc of $f" "$f"; done
[ -n "$folders" ] || t_skip 'another hwloc' 'there is none; WEFT_HWLOC_LIB names one'
t_done
