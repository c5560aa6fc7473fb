# shellcheck shell=bash source=tests/bench/lib.sh
# stage.sh - weft stage cp beside cp, rsync and fpsync, on this machine; weft stage bcast
# has bcast.sh.
#
# weft and its peers in turn, RUNS=5 times; a figure is the median, the ratio the
# peer's time by ours.  Ours has hashing, the record and the renaming in it.  "calls
# alone" is copy_limit: the least that opening, reading, writing and closing take here,
# with a thread a core (32 with cold caches), and what share of that speed weft has.
#
# The memory that a run will take is written once before (lib.sh).  The large file goes to
# memory of huge pages, too, where root may mount that: in small ones writers of one file
# wait for each other, and for a page at a time.  The disk is a fresh ext4 each time where loop devices can be had: in a used
# one what was removed minutes before costs the next one that makes files (inodes are
# not used again at once, and are searched one by one).
#   STAGE_FILES=20000  small files    STAGE_BIG=MIB  one large file (by the memory)
#   STAGE_ONLY='small unchanged large deep resume reflink'
#   STAGE_COLD=0       no runs with cold caches (they empty this machine's)

# Mounts of our own: others who start would keep what we mount, and its device, in use.
if [ "$(id -u)" -eq 0 ] && [ -z "${STAGE_MOUNTS:-}" ] && unshare --mount true 2>/dev/null; then
	STAGE_MOUNTS=own exec unshare --mount bash "$0"
fi
. "$(dirname "$0")/lib.sh"
RUNS=${RUNS:-5} FILES=${STAGE_FILES:-20000}
WEFT=$BUILD/weft WEFT_OPTIONS=

for p in rsync fpsync getfattr mkfs.xfs; do
	command -v $p >/dev/null 2>&1 || contrib/deps --bench >/dev/null 2>&1 ||
		echo "stage: no $p here, and it could not be installed (contrib/deps --bench)"
done
if ! memory=$(mktemp -d /dev/shm/weft-bench.XXXXXX); then
	echo 'stage: needs /dev/shm'
	exit 0
fi
disk=$(mktemp -d /var/tmp/weft-bench.XXXXXX)
trap 'umount "$disk/xfs" "$disk/ext4" "$disk/huge" 2>/dev/null; rm -rf "$memory" "$disk"; bench_end' EXIT
bench_keep_memory "$memory"
# Half of what is free there: source and copies take turns.
free_mib=$(df -m --output=avail /dev/shm | tail -n 1)
ram_mib=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$ram_mib" -ge "$free_mib" ] || free_mib=$ram_mib
BIG=${STAGE_BIG:-$((free_mib / 5 < 4096 ? free_mib / 5 : 4096))}

cold=
if [ "${STAGE_COLD:-1}" != 0 ] && [ -w /proc/sys/vm/drop_caches ]; then cold=1; fi

seconds() { # COMMAND...: in $T; its output goes to a log
	local start=$EPOCHREALTIME end
	"$@" >"$BENCH_TMP/log" 2>&1 </dev/null || {
		echo "failed: $*"
		tail -n 3 "$BENCH_TMP/log"
		BENCH_BAD=1
	}
	end=$EPOCHREALTIME
	T=$((${end/./} - ${start/./}))
}
empty_caches() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}
fresh_ext4() {
	umount "$disk/ext4" 2>/dev/null
	mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 -N $((FILES * 2 + 20000)) "$disk/image4" &&
		mount -o loop "$disk/image4" "$disk/ext4" 2>/dev/null
}
# The target's folder as if nothing had ever been in it, and memory for MIB of data.
prepare() { # FOLDER COLD MIB
	if [ "$1" = "$disk/ext4" ]; then
		if ! fresh_ext4 || ! rmdir "$1/lost+found"; then
			echo "failed: a fresh ext4"
			exit 1
		fi
	else
		rm -rf "${1:?}"/*
		find "$1" -maxdepth 1 -name '.weft-*' -delete
	fi
	sync -f "$1"
	[ -z "$2" ] || empty_caches
	bench_warm_memory "$memory" "$3"
}
run_weft() { "$WEFT" stage cp -q $WEFT_OPTIONS "$1" "$2"; }
run_cp() { cp -a "$1" "$2"; }
run_rsync() { rsync -a "$1/" "$2/"; }
run_rsync_all() { rsync -aHXS "$1/" "$2/"; }
run_fpsync() { fpsync -n 2 "$1/" "$2/"; }
run_cp_sync() { cp -a "$1" "$2" && sync -f "$2"; }
run_fpsync_sync() { fpsync -n 2 "$1/" "$2/" && sync -f "$2"; }
run_limit() { "$BUILD/tests/copy_limit" "$1" "$2" "$(nproc)"; }
run_limit_sync() { "$BUILD/tests/copy_limit" "$1" "$2" "$(nproc)" sync; }
run_limit_cold() { "$BUILD/tests/copy_limit" "$1" "$2" 32; }
run_rsync_file() { rsync -a "$1" "$2"; }

# compare NAME SOURCE TARGET-FOLDER COLD WHO:BAR...
compare() {
	local name=$1 src=$2 to=$3 caches=$4 i who mib
	shift 4
	mib=$(du -sm "$src" | cut -f 1)
	mib=$((mib + mib / 8))
	[ -z "$caches" ] || mib=$((mib * 2))
	for who in weft "$@"; do : >"$BENCH_TMP/${who%%:*}"; done
	for ((i = 0; i < RUNS; i++)); do
		for who in weft "$@"; do
			who=${who%%:*}
			case $who in rsync* | fpsync*) command -v "${who%%_*}" >/dev/null || continue ;; esac
			prepare "$to" "$caches" "$mib"
			seconds "run_$who" "$src" "$to/copy"
			echo "$T" >>"$BENCH_TMP/$who"
		done
	done
	for who in "$@"; do
		[ -s "$BENCH_TMP/${who%%:*}" ] || continue
		paste <(sort -n "$BENCH_TMP/weft") <(sort -n "$BENCH_TMP/${who%%:*}") |
			awk -v name="$name" -v who="${who%%:*}" -v bar="${who#*:}" '{ a[NR] = $1; b[NR] = $2 } END {
			m = int((NR + 1) / 2)
			if (who ~ /^limit/) {
				printf "%-38s calls alone %27.3f s   %.0f %% of their speed\n", "", b[m] / 1e6, 100 * b[m] / a[m]
				exit 0
			}
			bad = b[m] / a[m] < bar
			gsub("_", " + ", who)
			printf "%-38s weft %8.3f s   %-13s %8.3f s   ratio %6.2f of %g%s\n", name, a[m] / 1e6, who, b[m] / 1e6, b[m] / a[m], bar, bad ? "   UNDER" : ""
			exit bad
		}' || BENCH_BAD=1
	done
	rm -rf "${to:?}"/*
}

mkdir "$memory/to" "$disk/to" "$disk/ext4"
DISK=$disk/to
if [ "$(id -u)" -eq 0 ] && fallocate -l 4G "$disk/image4" 2>/dev/null && fresh_ext4; then
	DISK=$disk/ext4
else
	echo 'stage: no fresh ext4 (needs root and loop devices): what lies on the disk counts, too'
fi
make_small() {
	[ ! -d "$disk/small" ] || return 0
	python3 - "$disk/small" "$FILES" <<'END'
import os, random, sys
random.seed(1)
os.makedirs(sys.argv[1])
data = os.urandom(1 << 20)
for i in range(int(sys.argv[2])):
    n = random.randint(4096, 65536)
    at = random.randint(0, len(data) - n)
    with open("%s/%05d" % (sys.argv[1], i), "wb") as f:
        f.write(data[at:at + n])
END
	sync
}

# What hashing takes of the CPU time of a copy.
hashing() { # NAME SOURCE MIB
	local hash cpu i TIMEFORMAT='%U %S'
	: >"$BENCH_TMP/cpu"
	for ((i = 0; i < RUNS; i++)); do
		prepare "$memory/to" '' "$3"
		{ time run_weft "$2" "$memory/to/copy" >/dev/null 2>&1; } 2>>"$BENCH_TMP/cpu"
		"$BUILD/tests/hash_rate" "$3" >>"$BENCH_TMP/hash"
	done
	cpu=$(awk '{ print $1 + $2 }' "$BENCH_TMP/cpu" | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }')
	hash=$(sort -n "$BENCH_TMP/hash" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }')
	rm -f "$BENCH_TMP/hash"
	awk -v name="$1" -v hash="$hash" -v cpu="$cpu" 'BEGIN { s = 100 * hash / (cpu - hash); over = s > 7
		printf "%-38s hashing %5.3f s of %5.3f s CPU: %.1f %% more, of 7 %%%s\n", name, hash, cpu, s, over ? "   OVER" : ""
		exit over }' || BENCH_BAD=1
}

# ---- small files
part_small() {
	make_small
	cat "$disk"/small/* >/dev/null
	WEFT_OPTIONS=
	compare "$FILES small files, warm, to memory" "$disk/small" "$memory/to" '' cp:3.5 rsync:7 fpsync:10 limit
	hashing "" "$disk/small" "$(du -sm --apparent-size "$disk/small" | cut -f 1)"
	if [ -n "$cold" ]; then
		compare "$FILES small files, cold, to memory" "$disk/small" "$memory/to" 1 cp:4.5 rsync:4.5 fpsync:7 limit_cold
	else
		echo 'stage: cold caches: not allowed to empty them, or told not to'
	fi
	cat "$disk"/small/* >/dev/null
	compare "$FILES small files, to the disk, durable" "$disk/small" "$DISK" '' cp_sync:4 fpsync_sync:9 limit_sync
}

# ---- unchanged
part_unchanged() {
	make_small
	run_weft "$disk/small" "$memory/to/copy"
	: >"$BENCH_TMP/again"
	for ((i = 0; i < RUNS; i++)); do
		seconds "$WEFT" stage cp --json "$disk/small" "$memory/to/copy"
		grep -q '"moved": 0.*"already there"' "$BENCH_TMP/log" || { echo 'unchanged files were copied'; BENCH_BAD=1; }
		echo "$T" >>"$BENCH_TMP/again"
	done
	sort -n "$BENCH_TMP/again" | awk -v name="$FILES small files, unchanged" '{ a[NR] = $1 } END {
		t = a[int((NR + 1) / 2)] / 1e6
		over = t > 0.1
		printf "%-38s weft %8.3f s of 0.1 s, 0 bytes%s\n", name, t, over ? "   OVER" : ""
		exit over }' || BENCH_BAD=1
	rm -rf "$memory"/to/* "$memory"/to/.weft*
}

# ---- one large file
large() { # NAME TARGET-FOLDER
	compare "$1" "$disk/big" "$2" '' cp:2 rsync_file:9 limit
	sort -n "$BENCH_TMP/weft" | awk -v mib="$BIG" '{ a[NR] = $1 } END {
		printf "%-38s weft %8.2f GB/s\n", "", mib * 1.048576e6 / a[int((NR + 1) / 2)] / 1e3 }'
}
part_large() {
	head -c "${BIG}M" /dev/urandom >"$disk/big"
	sync -f "$disk"
	cat "$disk/big" >/dev/null
	WEFT_OPTIONS='--durable none'
	large "one file of $BIG MiB, to memory" "$memory/to"
	hashing "" "$disk/big" "$BIG"
	mkdir -p "$disk/huge"
	if [ "${STAGE_MOUNTS:-}" = own ] && mount -t tmpfs -o "huge=within_size,size=$((BIG * 2))m" weft-bench "$disk/huge" 2>/dev/null; then
		large "the same, in huge pages" "$disk/huge"
		umount "$disk/huge"
	else
		echo 'stage: no memory of huge pages (needs root, and a kernel that has them in tmpfs)'
	fi
	rm -rf "$disk/big" "$memory"/to/* "$memory"/to/.weft*
}

# ---- deep, with links, holes, attributes
part_deep() {
	python3 - "$disk/deep" <<'END'
import os, random, sys
random.seed(2)
top = sys.argv[1]
os.makedirs(top)
dirs, files, n = [top], [], 1
while n < 5000:
    n += 1
    d = random.choice(dirs[-40:])
    p = "%s/%d" % (d, n)
    kind = random.random()
    if kind < 0.15 and len(d) < 3000:
        os.mkdir(p)
        dirs.append(p)
    elif kind < 0.25:
        os.symlink("../%d" % (n - 1), p)
    elif kind < 0.33 and files:
        os.link(random.choice(files), p)
    else:
        with open(p, "wb") as f:
            if kind < 0.38:
                f.truncate(1 << 20)
                f.seek(700000)
            f.write(os.urandom(random.randint(0, 20000)))
        if kind > 0.9:
            try:
                os.setxattr(p, "user.bench", b"value")
            except OSError:
                pass
        os.utime(p, ns=(10**18 + n, 10**18 - n * 12345))
        os.chmod(p, random.choice([0o644, 0o600, 0o755, 0o400]))
        files.append(p)
END
	look() {
		(
			cd "$1" || exit
			find . -printf '%p %y %m %U:%G %s %T@ %l %n\n' | awk '$2 == "d" { $5 = "" } { print }' | sort
			find . -type f -exec md5sum {} + | sort
			getfattr -R -d -m - . 2>/dev/null | awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; print }' | sort
		)
}
WEFT_OPTIONS='--durable none'
compare "5,000 entries deep, with all kinds" "$disk/deep" "$DISK" '' cp:1 rsync_all:20
run_weft "$disk/deep" "$DISK/copy"
if diff <(look "$disk/deep") <(look "$DISK/copy") >"$BENCH_TMP/diff"; then
	printf '%-38s no difference of any kind\n' ''
else
	echo "differences after weft:"
	head "$BENCH_TMP/diff"
	BENCH_BAD=1
fi
rm -rf "$disk/deep" "${DISK:?}"/* "${DISK:?}"/.weft*
}

# ---- resume: killed at 90 %, by a library that counts
part_resume() {
	head -c 512M /dev/urandom >"$memory/big"
	FAULTY=kill:$((512 * 1048576 * 9 / 10)) LD_PRELOAD=$BUILD/tests/faulty.so "$WEFT" stage cp "$memory/big" "$memory/to/copy" >/dev/null 2>&1
	seconds "$WEFT" stage cp --json "$memory/big" "$memory/to/copy"
	sed 's/.*"moved": \([0-9]*\).*/\1/' "$BENCH_TMP/log" | awk '{ s = 100 * $1 / 512 / 1048576; over = s > 15
		printf "%-38s weft %7.1f %% of the bytes again, of 15 %%%s\n", "killed at 90 %, then again", s, over ? "   OVER" : ""
		exit over }' || BENCH_BAD=1
	rm -rf "$memory/big" "$memory"/to/* "$memory"/to/.weft*
}

# ---- reflink
part_reflink() {
	if [ "$(id -u)" -eq 0 ] && command -v mkfs.xfs >/dev/null && truncate -s 3G "$disk/image" && mkfs.xfs -q "$disk/image" &&
		mkdir "$disk/xfs" && mount -o loop "$disk/image" "$disk/xfs" 2>/dev/null; then
		head -c 1G /dev/urandom >"$disk/xfs/big"
		sync -f "$disk/xfs"
		: >"$BENCH_TMP/clone"
		for ((i = 0; i < RUNS; i++)); do
			seconds "$WEFT" stage cp --json --durable none "$disk/xfs/big" "$disk/xfs/copy$i"
			grep -q '"reflink"' "$BENCH_TMP/log" || { echo 'no reflink was made'; BENCH_BAD=1; }
			echo "$T" >>"$BENCH_TMP/clone"
		done
		sort -n "$BENCH_TMP/clone" | awk '{ a[NR] = $1 } END {
			t = a[int((NR + 1) / 2)] / 1e3; over = t > 10
			printf "%-38s weft %8.1f ms of 10 ms%s\n", "1 GiB within XFS (reflink)", t, over ? "   OVER" : ""
			exit over }' || BENCH_BAD=1
		umount "$disk/xfs"
	else
		echo 'stage: reflink: needs root, mkfs.xfs and loop devices'
	fi
}

for part in ${STAGE_ONLY:-small unchanged large deep resume reflink}; do "part_$part"; done
bench_done
