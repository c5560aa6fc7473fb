#!/bin/sh
# host - weft.so in a host of our own: every hook, order, fault and forgery
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SO=$BUILD/weft.so
HOST=$BUILD/tests/fake_spank
# The host's open() stands before the sanitizer's, which needs it for a file of its own.
[ -z "${ASAN_OPTIONS-}" ] || export ASAN_OPTIONS="$ASAN_OPTIONS:log_path=stderr"

# ---- what it is made of ------------------------------------------------------

# The names that Slurm looks for, and no other.
got=$(nm -D --defined-only "$SO" | awk '{print $3}' | grep -v '^__\(asan\|ubsan\|odr\)' | LC_ALL=C sort | tr '\n' ' ')
t_is 'exports' "$got" 'plugin_name plugin_type plugin_version slurm_spank_exit slurm_spank_init slurm_spank_init_post_opt slurm_spank_local_user_init slurm_spank_task_exit slurm_spank_task_init slurm_spank_user_init spank_plugin_version '
got=$(readelf -d "$SO" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^lib(c|m|asan|ubsan|gcc_s)\.so' | tr '\n' ' ')
t_is 'links libc and libm only' "$got" ''
t_has 'linked -z now' "$(readelf -d "$SO" | grep -E 'FLAGS|BIND_NOW')" NOW
# What neither libc nor the host has would stop slurmstepd at dlopen.  A sanitizer
# stands in for much of libc, without its versions: then only the host's are seen.
only=.
[ "${VARIANT-}" != san ] || only='^(slurm|spank)_'
got=$(nm -D --undefined-only "$SO" | awk '{print $2}' | grep -vE '@GLIBC|@GCC|^__(asan|ubsan|sanitizer|gmon|cxa|tls)|^_ITM_' | grep -E "$only" | LC_ALL=C sort | tr '\n' ' ')
t_is 'wants of the host' "$got" 'slurm_debug slurm_error slurm_info spank_context spank_get_item spank_getenv spank_job_control_setenv spank_job_control_unsetenv spank_option_register spank_setenv '
# The half for slurmstepd, and the rooms it stands on, can't end or change it.
got=$(nm -u "$BUILD"/obj/plugin/spank/remote.o "$BUILD"/obj/plugin/spank/node.o \
	"$BUILD"/obj/plugin/spank/options.o "$BUILD"/obj/plugin/spank/site.o "$BUILD"/obj/plugin/spank/host.o \
	"$BUILD"/obj/libs/conf/*.o "$BUILD"/obj/libs/ticket/*.o "$BUILD"/obj/libs/place/*.o \
	"$BUILD"/obj/libs/bind/*.o "$BUILD"/obj/libs/topo/model*.o "$BUILD"/obj/libs/topo/cache.o |
	grep -wE 'exit|abort|__assert_fail|setenv|unsetenv|putenv|clearenv|signal|sigaction|umask|chdir|seteuid|setuid|system|popen|atexit' | tr '\n' ' ')
t_is 'slurmstepd'"'"'s half calls nothing that ends or changes its process' "$got" ''

# ---- in the fake host --------------------------------------------------------

# weft.conf and the cache must be root's down from /, so not below /tmp.
if [ "$(id -u)" -ne 0 ]; then
	t_skip 'hooks in a fake host' 'needs root, as slurmstepd has it'
	t_done
fi
D=$(t_root_dir) || exit 1
trap 'rm -rf "$D" "$T_TMP"' EXIT
chmod 755 "$T_TMP"
conf() { # FILE TEXT
	printf '%s\n' "$2" >"$D/$1"
	chmod 644 "$D/$1"
}
conf weft.conf "cache = $D
command = /bin/false"
t_run 0 'a topology cache' "$HOST" --cache "$D"

host() { # NAME SCENARIO [ARGS]: one check a scenario, its own are counted inside
	name=$1
	shift
	T_OUT=$(timeout 120 "$HOST" "$SO" "$@" 2>"$T_TMP/err") && status=0 || status=$?
	if [ "$status" -eq 0 ]; then
		t_ok "$name ($(printf '%s\n' "$T_OUT" | sed -n 's/checks=\([0-9]*\).*/\1/p') checks)"
	else
		t_fail "$name" "$(printf '%s\n' "$T_OUT" | grep -E '^FAIL|checks=' | sort | uniq -c | head -20)
$(tail -n 20 "$T_TMP/err")"
	fi
}
host 'whole tickets' good "conf=$D/weft.conf"
host 'tickets cut, altered, random' bad "conf=$D/weft.conf"
host 'tickets forged' forged "conf=$D/weft.conf"
host 'no option, no effect' unused "conf=$D/weft.conf"
host 'every fault of the host' faults "conf=$D/weft.conf"
host 'every order of hooks' orders "conf=$D/weft.conf"
host 'nothing of the user is opened' hostile "conf=$D/weft.conf"

task() { # ARGS: what a task with a good ticket is told
	T_OUT=$(timeout 60 "$HOST" "$SO" task "$@" 2>"$T_TMP/err")
	T_ERR=$(cat "$T_TMP/err")
}
task "conf=$D/weft.conf" && t_has 'a good site' "$T_OUT" 'status=0'

# Cores 0 and 2 of the node's four are the system's; a step that has no others has these.
conf keep.conf "cache = $D
reserve = package:1"
task "conf=$D/keep.conf"
t_has 'reserve: not those' "$T_OUT" 'cpus=1 '
conf keep-all.conf "cache = $D
reserve = package:2"
task "conf=$D/keep-all.conf"
t_has 'reserve: unless there are no others' "$T_OUT" 'cpus=0 '

# ---- a site that is wrong ----------------------------------------------------

# Who asked for weft is told; nobody else notices (see "no option" below).
task "colour=blue"
t_has 'unknown argument: status' "$T_OUT" 'status=64'
t_has 'unknown argument: message' "$T_OUT" "unknown argument 'colour=blue'"
t_has 'unknown argument: log' "$T_ERR" "unknown argument 'colour=blue'"
task "conf=etc/weft.conf"
t_has 'relative conf=' "$T_OUT" 'not an absolute path'
task "conf=$D/missing.conf"
t_has 'missing weft.conf' "$T_OUT" 'status=64'
conf broken.conf 'colour = blue'
task "conf=$D/broken.conf"
t_has 'broken weft.conf' "$T_OUT" 'broken.conf:1'
conf loose.conf "cache = $D"
chmod 666 "$D/loose.conf"
task "conf=$D/loose.conf"
t_has 'a weft.conf that others may write is not read' "$T_OUT" 'status=64'
ln -s "$D/weft.conf" "$D/link.conf"
task "conf=$D/link.conf"
t_has 'a link is not followed' "$T_OUT" 'status=64'
mkdir "$D/anyone" && chmod 777 "$D/anyone" && cp "$D/weft.conf" "$D/anyone/"
task "conf=$D/anyone/weft.conf"
t_has 'a weft.conf below a folder of everyone is not read' "$T_OUT" 'status=64'
for f in "colour=blue" "conf=$D/missing.conf" "conf=$D/loose.conf"; do
	host "unused, $f" unused_broken "$f"
done
conf off.conf 'enabled = no'
task "conf=$D/off.conf"
t_has 'enabled = no: nothing is done' "$T_OUT" 'status=0'
conf bob.conf "cache = $D
contact = the help desk
[user $(id -un 65534)]
enabled = no
reason = he knows why"
task "conf=$D/bob.conf"
t_has 'a user who is switched off: status' "$T_OUT" 'status=64'
t_has 'a user who is switched off: message' "$T_OUT" "$D/bob.conf:4: weft is switched off for user $(id -un 65534) by the site: he knows why (ask the help desk)"
conf number.conf "cache = $D
[user 65534]
enabled = no"
task "conf=$D/number.conf"
t_has 'by number' "$T_OUT" "switched off for user 65534"
conf other.conf "cache = $D
[user somebody-else]
enabled = no"
task "conf=$D/other.conf"
t_has 'another user is off' "$T_OUT" 'status=0'
host 'a user is off: every fault of the host' faults "conf=$D/other.conf"

# ---- a node without a cache --------------------------------------------------

mkdir "$D/empty"
# Ordinary users may not look into the checkout.
cp "$WEFT" "$D/weft" && chmod 755 "$D/weft"
cat >"$D/dump" <<END
#!/bin/sh
{
	grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff|CapPrm):' /proc/self/status
	env
	ls /proc/\$\$/fd
} >"$D/seen/\$(id -u)" 2>&1
$D/weft topo dump
END
chmod 755 "$D/dump"
mkdir "$D/seen" && chmod 777 "$D/seen"
conf dump.conf "cache = $D/empty
command = $D/dump"
task "conf=$D/dump.conf"
t_has 'no cache: topo dump' "$T_OUT" 'status=0'
seen=$(cat "$D/seen/65534" 2>&1)
t_has 'dump: user, for good' "$seen" 'Uid:	65534	65534	65534	65534'
t_has 'dump: group, for good' "$seen" 'Gid:	65534	65534	65534	65534'
t_has 'dump: no capabilities' "$seen" 'CapPrm:	0000000000000000'
t_has 'dump: no way back' "$seen" 'NoNewPrivs:	1'
t_is 'dump: an environment of its own' "$(printf '%s\n' "$seen" | grep "=" | grep -vE '^(PATH=/usr/bin:/bin|LC_ALL=C|PWD=/|SHLVL=.|_=.*|OLDPWD=.*)$')" ''

# Which outputs there are is the user's word: the child's to read.
cat >"$D/outputs" <<END
#!/bin/sh
[ "\$1 \$SLURM_NODEID" = 'stage-out 3' ] && echo \$\$ >"\$WEFT_STAGE_OUT"
END
sed '$aexec sleep 1000' "$D/outputs" >"$D/outputs-hang"
chmod 755 "$D/outputs" "$D/outputs-hang"
conf outputs.conf "cache = $D
command = $D/outputs"
conf outputs-hang.conf "cache = $D
command = $D/outputs-hang"
host 'outputs are brought back once' outputs "conf=$D/outputs.conf"
host 'and no longer than the step is let run' outputs_killed "conf=$D/outputs-hang.conf"

printf '#!/bin/sh\nexec sleep 1000\n' >"$D/hang"
printf '#!/bin/sh\nexec yes\n' >"$D/flood"
printf '#!/bin/sh\nexec head -c 20000 /dev/urandom\n' >"$D/junk"
chmod 755 "$D/hang" "$D/flood" "$D/junk"
for c in hang flood junk; do
	conf $c.conf "cache = $D/empty
command = $D/$c"
	task "conf=$D/$c.conf"
	t_has "dump that is a $c" "$T_OUT" 'status=64'
done
# Forged by who could not: the cache is another user's.
mkdir "$D/theirs" && cp "$D/topology" "$D/theirs/" && chown 65534 "$D/theirs/topology"
conf theirs.conf "cache = $D/theirs
command = /bin/false"
task "conf=$D/theirs.conf"
t_has "a cache that isn't root's is not read" "$T_OUT" 'status=64'
t_done
