/* Which hosts are near each other: topology.conf as Slurm reads it. */
#include "cluster/cluster.h"
#include "scratch.h"
#include "suite.h"

/* of(conf, topology, hosts): the numbers, blanks between; "": nothing is known. */
static char *of(const char *conf, const char *topology, const char *list)
{
	weft_autofree char *c = weft_printf("%s/slurm.conf", scratch());
	weft_autofree char *t = weft_printf("%s/topology.conf", scratch());
	weft_autoerr struct weft_err err = {0};
	struct weft_str out = {0};
	char **host;
	size_t n;

	put_text(c, conf);
	put_text(t, topology);
	setenv("SLURM_CONF", c, 1);
	ck_assert_int_eq(weft_hostlist_expand(list, 100, &host, &n, &err), 0);
	weft_autofree unsigned *at = weft_cluster_switches(host, n);
	for (size_t i = 0; at && i < n; i++)
		weft_str_printf(&out, "%s%u", i ? " " : "", at[i]);
	weft_hostlist_free(host, n);
	unsetenv("SLURM_CONF");
	return weft_str_take(&out);
}

static const char *const tree = "topologyplugin = topology/tree # by rack\n";

START_TEST(leaves_are_numbered)
{
	weft_autofree char *flat = of(tree,
		"# two racks\nSwitchName=s0 Nodes=a[1-2],b1\n\n"
		"switchname=s1 nodes=b[2-3] LinkSpeed=100\n"
		"SwitchName=top Switches=s[0-1]\n",
		"b3,a1,b1,b2,x");

	ck_assert_str_eq(flat, "1 0 0 1 2");
}
END_TEST

/* s0 and s2 are under one switch: their numbers follow each other. */
START_TEST(near_ones_have_near_numbers)
{
	weft_autofree char *deep = of(tree,
		"SwitchName=s0 Nodes=a\nSwitchName=s1 Nodes=b\nSwitchName=s2 Nodes=c\n"
		"SwitchName=s3 Nodes=d\nSwitchName=u0 Switches=s0,s2\n"
		"SwitchName=u1 Switches=s1,s3\nSwitchName=top Switches=u[0-1]\n",
		"a,b,c,d");

	ck_assert_str_eq(deep, "0 2 1 3");
}
END_TEST

START_TEST(nothing_is_known)
{
	const char *two = "SwitchName=s0 Nodes=a\nSwitchName=s1 Nodes=b\n";
	weft_autofree char *off = of("ClusterName=x\n", two, "a,b");
	weft_autofree char *one = of(tree, "SwitchName=s0 Nodes=a,b\n", "a,b");
	weft_autofree char *none = of(tree, "", "a,b");
	weft_autofree char *loop = of(tree,
		"SwitchName=u Switches=v\nSwitchName=v Switches=u\n"
		"SwitchName=w Nodes=a[1-\nSwitchName= Nodes=\nSwitchName\n",
		"a,b");

	ck_assert_str_eq(off, "");
	ck_assert_str_eq(one, "");
	ck_assert_str_eq(none, "");
	ck_assert_str_eq(loop, "");
}
END_TEST

SUITE("cluster_switches", leaves_are_numbered, near_ones_have_near_numbers,
	nothing_is_known)
