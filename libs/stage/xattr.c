/* xattr.c - which attributes are a file's own, and which its place's
 *
 * Lustre lists the layout of each file, NFSv4 its ACL, a kernel with SELinux the label:
 * another place has its own, and a copy that complained of each would be read by
 * nobody. */
#include "stage/room.h"

#include <string.h>

static bool is_one_of(const char *name, const char *const *prefix)
{
	for (; *prefix; prefix++)
		if (weft_starts_with(name, *prefix))
			return true;
	return false;
}

bool stage_xattr_wanted(const char *name, bool archive)
{
	/* Labels come from a policy, layouts from where there was room, keys of a
	 * server's own records and signatures are made there.  XFS shows root its ACLs
	 * a second time. */
	static const char *const place[] = {"security.selinux", "security.evm",
		"lustre.", "trusted.lov", "trusted.lma", "trusted.lmv", "trusted.link",
		"trusted.fid", "trusted.hsm", "trusted.som", "trusted.dmv",
		"trusted.version", "trusted.SGI_", "trusted.gfid", "trusted.glusterfs.",
		"trusted.ec.", "ceph.", "afs.", "xfsroot.", NULL};

	return archive ? !is_one_of(name, place) : weft_starts_with(name, "user.");
}

bool stage_xattr_is_own(const char *name)
{
	return weft_starts_with(name, "user.") ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "security.capability") == 0;
}

static uint32_t number(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_who(const unsigned char *p, uint32_t n, const char *who)
{
	return n == strlen(who) && memcmp(p, who, n) == 0;
}

/* An ACL as NFSv4 sends it (RFC 7530, 6.2.1, as XDR: a count, then for each entry type,
 * flags, mask and a name): does it say no more than the mode does? */
static bool is_mode(const unsigned char *p, size_t n)
{
	const uint32_t inherit = 0xf; /* to files, folders, not beyond, not here */
	size_t at = 4;

	if (n < 4)
		return false;
	for (uint32_t left = number(p); left > 0; left--) {
		if (n - at < 16)
			return false;
		uint32_t flags = number(p + at + 4), len = number(p + at + 12);

		at += 16;
		if (len > n - at || flags & inherit ||
			!(is_who(p + at, len, "OWNER@") ||
				is_who(p + at, len, "GROUP@") ||
				is_who(p + at, len, "EVERYONE@")))
			return false;
		at += (len + 3) & ~(size_t)3;
		if (at > n)
			return false;
	}
	return true;
}

bool stage_xattr_matters(const char *name, const void *value, size_t n)
{
	return strcmp(name, "system.nfs4_acl") != 0 || !is_mode(value, n);
}
