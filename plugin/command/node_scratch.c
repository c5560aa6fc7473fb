/*
 * node_scratch.c - a job's folder on the node's own disk.
 *
 * Security.  This runs as root below a folder (SCRATCH, perhaps /tmp) in which
 * users may create what they like, and removes what users have written.
 *
 * - SCRATCH/weft must be a real folder of root's that only root can write to:
 *   opened without following links and checked through the descriptor.  A user
 *   who made something of that name first gets an error message into the log, and
 *   nothing else happens; everything below is then root's to name, so that no
 *   user can swap SCRATCH/weft/JOBID for a link.
 * - JOBID is a number that slurmd gave; it is formatted here.
 * - Root creates the folder with mode 0700 and gives it away through its
 *   descriptor.  From then on root looks at nothing in it: that is removed by
 *   a child that has given up root for good (the owner's uid and gid, no other
 *   groups, no_new_privs), so links, mounts and races in it can hit only what the
 *   user could remove anyway.  Root then removes the one empty folder, by
 *   unlinkat() below the descriptor of SCRATCH/weft.
 * - What is left from before the machine's last start, which no Epilog will remove, the
 *   next Prolog does; which start a folder is of stands in SCRATCH/weft/.JOBID, where
 *   only root writes.
 * - A job of root's gets no folder, as there would be nothing to give up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"

/* An Epilog that doesn't end keeps the node from its next job. */
#define REMOVE_SECONDS 600
#define BOOT 37 /* of a boot id as text */

/* SCRATCH/weft as a descriptor; -1. With make, it is created where missing. */
static int open_parent(const char *scratch, bool make, struct weft_err *err)
{
	weft_autoclose int top = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	weft_autoclose int fd = -1;
	struct stat st;
	int ours;

	if (top < 0)
		return weft_err_sys(err, WEFT_ESYS, "%s", scratch);
	if (make && mkdirat(top, "weft", 0755) && errno != EEXIST)
		return weft_err_sys(err, WEFT_ESYS, "%s/weft", scratch);
	fd = openat(top, "weft", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return weft_err_sys(err, WEFT_ESYS, "%s/weft", scratch);
	if (st.st_uid != 0 || st.st_mode & 022) {
		weft_err_set(err, WEFT_ESYS,
			"%s/weft belongs to uid %u, mode %04o: not used", scratch,
			(unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
		return weft_err_hint(err, "remove it; root makes it, with mode 0755");
	}
	/* slurmd's umask may have been a strict one. */
	if ((st.st_mode & 0755) != 0755 && fchmod(fd, 0755))
		return weft_err_sys(err, WEFT_ESYS, "%s/weft", scratch);
	ours = fd;
	fd = -1;
	return ours;
}

/* Runs `weft node empty` in the folder, as its owner. */
static int empty_as_owner(const char *path, uid_t uid, gid_t gid, struct weft_err *err)
{
	weft_autofree char *self = weft_self_path(), *out = NULL;
	char *argv[] = {self, (char *)"node", (char *)"empty", NULL};
	char *envp[] = {(char *)"PATH=/usr/bin:/bin", NULL};
	struct weft_spawn s = WEFT_SPAWN_INIT;
	int status;

	if (!self)
		return weft_err_sys(err, WEFT_ESYS, "/proc/self/exe");
	s.argv = argv;
	s.envp = envp;
	s.cwd = path;
	s.drop = true;
	s.uid = uid;
	s.gid = gid;
	if (weft_capture(&s, REMOVE_SECONDS, 4096, &out, NULL, &status, err))
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return weft_err_set(err, WEFT_ESYS, "%s could not be emptied", path);
	return 0;
}

/* ---- .JOBID beside the folder: in which start of the machine it was made ----- */

static bool read_boot(char boot[BOOT])
{
	weft_autofree char *text = NULL;

	if (weft_read_file("/proc/sys/kernel/random/boot_id", 64, &text, NULL, NULL))
		return false;
	snprintf(boot, BOOT, "%.36s", text);
	return strlen(boot) == 36;
}

static void note_start(int parent, const char *name)
{
	weft_autofree char *note = weft_printf(".%s", name);
	weft_autoclose int fd = -1;
	char boot[BOOT];

	if (!note || !read_boot(boot))
		return;
	unlinkat(parent, note, 0);
	fd = openat(parent, note, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0644);
	if (fd >= 0)
		(void)!weft_write_all(fd, boot, strlen(boot));
}

/* No job outlives that; where there is no telling it is left alone. */
static bool is_of_earlier_start(int parent, const char *name)
{
	weft_autofree char *note = weft_printf(".%s", name);
	weft_autoclose int fd =
		note ? openat(parent, note, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	char boot[BOOT], then[BOOT] = "";

	return fd >= 0 && read_boot(boot) && read(fd, then, BOOT - 1) == BOOT - 1 &&
	       strcmp(boot, then) != 0;
}

/* The job's folder, if it is there: emptied by its owner, removed by root. */
static int remove_one(
	int parent, const char *scratch, const char *name, struct weft_err *err)
{
	weft_autoclose int fd = -1;
	weft_autofree char *path = weft_printf("%s/weft/%s", scratch, name);
	weft_autofree char *note = weft_printf(".%s", name);
	weft_autoerr struct weft_err why = {0};
	struct stat st;

	if (!path || !note)
		return weft_err_nomem(err);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : weft_err_sys(err, WEFT_ESYS, "%s", path);
	/* Its owner may have taken his own permission away. */
	if (fchmod(fd, 0700) || fstat(fd, &st))
		return weft_err_sys(err, WEFT_ESYS, "%s", path);
	/* A failure that matters shows when the folder is removed. */
	if (st.st_uid != 0)
		empty_as_owner(path, st.st_uid, st.st_gid, &why);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0) {
		unlinkat(parent, note, 0);
		return 0;
	}
	weft_err_sys(err, WEFT_ESYS, "removing %s", path);
	return why.text ? weft_err_hint(err, "%s", why.text) : -1;
}

int node_scratch_make(
	const char *scratch, uint32_t job, uid_t uid, gid_t gid, struct weft_err *err)
{
	weft_autoclose int parent = -1, fd = -1;
	struct stat st;
	char name[16];

	if (uid == 0)
		return 0;
	parent = open_parent(scratch, true, err);
	if (parent < 0)
		return -1;
	snprintf(name, sizeof(name), "%u", job);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* slurmd was restarted, and runs the Prolog again. */
		if (S_ISDIR(st.st_mode) && st.st_uid == uid &&
			!is_of_earlier_start(parent, name))
			return 0;
		/* Left by an older job of that number, or of this one's last try. */
		if (remove_one(parent, scratch, name, err))
			return -1;
	}
	note_start(parent, name);
	if (mkdirat(parent, name, 0700))
		return weft_err_sys(err, WEFT_ESYS, "%s/weft/%s", scratch, name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0700) || fchown(fd, uid, gid)) {
		weft_err_sys(err, WEFT_ESYS, "%s/weft/%s", scratch, name);
		unlinkat(parent, name, AT_REMOVEDIR);
		return -1;
	}
	return 0;
}

int node_scratch_remove(const char *scratch, uint32_t job, struct weft_err *err)
{
	weft_autoerr struct weft_err why = {0};
	weft_autoclose int parent = open_parent(scratch, false, &why);
	char name[16];

	if (parent < 0) {
		if (why.sys == ENOENT)
			return 0;
		if (err)
			weft_err_move(err, &why);
		return -1;
	}
	snprintf(name, sizeof(name), "%u", job);
	return remove_one(parent, scratch, name, err);
}

void node_scratch_clean(const char *scratch, uint32_t job)
{
	weft_autoerr struct weft_err err = {0};
	weft_autoclose int parent = open_parent(scratch, false, &err);
	weft_autoargv struct weft_argv names = {0};
	int fd = parent < 0 ? -1 : openat(parent, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int64_t id;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (weft_parse_int(e->d_name, 0, UINT32_MAX, &id) && id != job &&
			is_of_earlier_start(parent, e->d_name))
			weft_argv_add(&names, e->d_name);
	closedir(d);
	for (size_t i = 0; i < names.n; i++) {
		weft_err_clear(&err);
		if (remove_one(parent, scratch, names.v[i], &err))
			weft_log(WEFT_WARN, "%s", err.text ? err.text : names.v[i]);
	}
}

int node_empty_here(struct weft_err *err)
{
	DIR *d = opendir(".");
	int status = 0;

	if (!d)
		return weft_err_sys(err, WEFT_ESYS, "the working directory");
	for (struct dirent *e; (e = readdir(d));) {
		weft_autoerr struct weft_err why = {0};

		if (weft_streq(e->d_name, ".") || weft_streq(e->d_name, ".."))
			continue;
		/* What can be removed is removed, also behind what can't. */
		if (weft_remove_tree(e->d_name, &why)) {
			status = -1;
			if (err && !err->code)
				weft_err_move(err, &why);
		}
	}
	closedir(d);
	return status;
}
