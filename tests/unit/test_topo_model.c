#include "topo/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

static const char text[] =
	"weft-topology 1\n"
	"host n1\n"
	"size packages=1 l3=2 cores=3 cpus=6 numa=2 gpus=1 nics=1\n"
	"numa 0 os=0 kind=dram bytes=17179869184 cpus=0-5\n"
	"numa 1 os=253 kind=gpu bytes=4096 cpus=-\n"
	"core 0 package=0 numa=0 l3=0 cpus=0,3\n"
	"core 1 package=0 numa=0 l3=0 cpus=1,4\n"
	"core 2 package=0 numa=0 l3=1 cpus=2,5\n"
	"gpu 0000:07:00.0 vendor=nvidia link=none package=0 cpus=0-5 path=0.1.2 name=- "
	"uuid=GPU-1\n"
	"nic 0000:0a:00.0 vendor=other link=verbs package=0 cpus=0-5 path=- "
	"name=mlx5_0 "
	"uuid=-\n"
	"end\n";

START_TEST(cpu_lists)
{
	static const char *const good[] = {
		"", "0", "0-3", "0,2", "0-3,8,10-11", "4095"};
	static const char *const bad[] = {"-", "a", "1-", "3-1", "1,,2", "1,", ",1",
		" 1", "4096", "0-4096", "99999999999999999999", "1-2-3", "+1"};
	struct weft_cpuset s;
	char buf[64], tiny[4];

	for (size_t i = 0; i < WEFT_COUNT(good); i++) {
		ck_assert(weft_cpuset_parse(good[i], &s));
		ck_assert(weft_cpuset_print(&s, buf, sizeof(buf)));
		ck_assert_str_eq(buf, good[i]);
	}
	for (size_t i = 0; i < WEFT_COUNT(bad); i++)
		ck_assert_msg(!weft_cpuset_parse(bad[i], &s), "%s", bad[i]);
	ck_assert(weft_cpuset_parse("62-65,4095", &s));
	ck_assert_uint_eq(weft_cpuset_count(&s), 5);
	ck_assert_int_eq(weft_cpuset_next(&s, 0), 62);
	ck_assert_int_eq(weft_cpuset_next(&s, 66), 4095);
	ck_assert_int_eq(weft_cpuset_next(&s, 4096), -1);
	ck_assert(!weft_cpuset_print(&s, tiny, sizeof(tiny)));
	ck_assert(!weft_cpuset_has(&s, 5000));
}
END_TEST

START_TEST(round_trip)
{
	struct weft_machine *m;
	struct weft_err err = {0};
	struct weft_str out = {0};

	ck_assert_msg(weft_machine_parse(text, sizeof(text) - 1, &m, &err) == 0, "%s",
		err.text);
	ck_assert_uint_eq(m->n_pus, 6);
	ck_assert_uint_eq(m->pu[5].cpu, 5);
	ck_assert_uint_eq(m->pu[5].l3, 1);
	ck_assert_uint_eq(m->gpu[0].path[2], 2);
	ck_assert_str_eq(m->gpu[0].name, "");
	ck_assert_uint_eq(m->nic[0].link, WEFT_LINK_VERBS);
	ck_assert_int_eq(weft_machine_print(m, &out), 0);
	ck_assert_str_eq(out.s, text);
	weft_str_free(&out);
	weft_machine_free(m);
}
END_TEST

/* What only some machines have: their lines are there with it, and not without. */
START_TEST(optional)
{
	static const char more[] =
		"weft-topology 1\n"
		"host n1\n"
		"size packages=1 l3=1 cores=1 cpus=1 numa=1 gpus=2 nics=0 caches=1 "
		"nvmes=1\n"
		"numa 0 os=0 kind=hbm bytes=1 cpus=0\n"
		"core 0 package=0 numa=0 l3=0 cpus=0\n"
		"cache level=3 bytes=33554432 cpus=0\n"
		"gpu 0000:07:00.0/0 vendor=nvidia link=none package=0 cpus=0 path=0.1 "
		"name=gi1.ci0 uuid=MIG-1 of=GPU-1\n"
		"gpu 0000:07:00.0/1 vendor=nvidia link=none package=0 cpus=0 path=0.1 "
		"name=gi2.ci0 uuid=- of=-\n"
		"nvme 0000:0b:00.0 vendor=other link=none package=0 cpus=0 path=0.2 "
		"name=nvme0n1 uuid=-\n"
		"end\n";
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{" nvmes=1", ""},
		{" nvmes=1", " nvmes=0"},
		{" nvmes=1", " nvmes=2"},
		{" caches=1", ""},
		{" caches=1", " caches=0"},
		{" caches=1 nvmes=1", " nvmes=1 caches=1"},
		{"level=3", "level=33"},
		{" of=GPU-1", ""},
		{"00.0/1", "00.0"},
		{"nvme0n1 uuid=-", "nvme0n1 uuid=- of=-"},
		{"hbm", "tape"},
	};
	struct weft_machine *m;
	struct weft_err err = {0};
	struct weft_str out = {0};

	ck_assert_msg(weft_machine_parse(more, sizeof(more) - 1, &m, &err) == 0, "%s",
		err.text);
	ck_assert_uint_eq(m->n_nvmes, 1);
	ck_assert_uint_eq(m->n_caches, 1);
	ck_assert_uint_eq(m->cache[0].bytes, 32 << 20);
	ck_assert_str_eq(m->nvme[0].name, "nvme0n1");
	ck_assert_str_eq(m->gpu[0].parent, "GPU-1");
	ck_assert_str_eq(m->gpu[1].parent, "");
	ck_assert_uint_eq(m->numa[0].kind, WEFT_MEM_HBM);
	ck_assert_int_eq(weft_machine_print(m, &out), 0);
	ck_assert_str_eq(out.s, more);
	weft_str_free(&out);
	weft_machine_free(m);
	for (size_t i = 0; i < WEFT_COUNT(wrong); i++) {
		const char *at = strstr(more, wrong[i].from);

		ck_assert_ptr_nonnull(at);
		weft_str_addn(&out, more, (size_t)(at - more));
		weft_str_add(&out, wrong[i].to);
		weft_str_add(&out, at + strlen(wrong[i].from));
		ck_assert_msg(weft_machine_parse(out.s, out.len, &m, &err) == -1,
			"%s -> %s", wrong[i].from, wrong[i].to);
		weft_err_clear(&err);
		weft_str_free(&out);
	}
}
END_TEST

/* Whatever is read must be a text that is printed the same: nothing slips in. */
static void hostile(const char *s, size_t n)
{
	struct weft_machine *m;
	struct weft_err err = {0};
	char *exact = malloc(n ? n : 1); /* so that the sanitizer sees its end */

	memcpy(exact, s, n);
	if (weft_machine_parse(exact, n, &m, &err) == 0) {
		struct weft_str out = {0};
		ck_assert_int_eq(weft_machine_print(m, &out), 0);
		weft_str_free(&out);
		weft_machine_free(m);
	} else {
		ck_assert_ptr_null(m);
		ck_assert_int_eq(err.code, WEFT_EPLACE);
	}
	weft_err_clear(&err);
	free(exact);
}

START_TEST(broken)
{
	size_t n = sizeof(text) - 1;
	char copy[sizeof(text)];
	struct weft_machine *m;
	struct weft_err err = {0};
	static const struct {
		const char *from, *to;
	} wrong[] = {
		{"cpus=6", "cpus=7"},
		{"cpus=6", "cpus=5"},
		{"cores=3", "cores=2"},
		{"l3=1 cpus=2", "l3=2 cpus=2"},
		{"numa=0 l3=1", "numa=1 l3=1"},
		{"cpus=2,5", "cpus=2,4"},
		{"os=253", "os=0"},
		{"os=253", "os=9999"},
		{"bytes=4096", "bytes=99999999999999999999"},
		{"gpus=1", "gpus=9"},
		{"package=0 cpus=0-5 path", "package=1 cpus=0-5 path"},
		{"path=0.1.2", "path=0.1.2.3.4.5.6.7.8"},
		{"path=0.1.2", "path=0..2"},
		{"numa=2", "numa=0"},
		{"packages=1", "packages=0"},
		{"packages=1", "packages=01"},
		{"end\n", "end\nend\n"},
		{"0000:07:00.0", "0000:07:00.0000000000"},
		{"verbs", "carrier"},
	};

	for (size_t i = 0; i < n; i++)
		hostile(text, i);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = (char)(copy[i] ^ (1 << bit));
			hostile(copy, n);
		}
	for (size_t i = 0; i < WEFT_COUNT(wrong); i++) {
		struct weft_str s = {0};
		const char *at = strstr(text, wrong[i].from);
		ck_assert_ptr_nonnull(at);
		weft_str_addn(&s, text, (size_t)(at - text));
		weft_str_add(&s, wrong[i].to);
		weft_str_add(&s, at + strlen(wrong[i].from));
		ck_assert_msg(weft_machine_parse(s.s, s.len, &m, &err) == -1,
			"%s -> %s", wrong[i].from, wrong[i].to);
		ck_assert_ptr_nonnull(strstr(err.text, "not a machine model"));
		weft_err_clear(&err);
		weft_str_free(&s);
	}
}
END_TEST

static void spoil(const char *dir, const char *from, const char *to)
{
	struct weft_machine *m;
	struct weft_err err = {0};
	char *path = weft_path_join(dir, "topology"), *data;
	size_t n;
	struct weft_str s = {0};

	ck_assert_int_eq(weft_read_file(path, 1 << 20, &data, &n, &err), 0);
	char *at = strstr(data, from);
	ck_assert_ptr_nonnull(at);
	weft_str_addn(&s, data, (size_t)(at - data));
	weft_str_add(&s, to);
	weft_str_add(&s, at + strlen(from));
	ck_assert_int_eq(weft_write_file(path, s.s, s.len, 0644, &err), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &m, &err), -1);
	ck_assert_ptr_null(m);
	ck_assert_ptr_nonnull(strstr(err.hint, "weft topo cache"));
	weft_err_clear(&err);
	ck_assert_int_eq(weft_write_file(path, data, n, 0644, &err), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &m, &err), 0);
	weft_machine_free(m);
	weft_str_free(&s);
	free(data);
	free(path);
}

START_TEST(cache)
{
	struct weft_machine *m, *again;
	struct weft_err err = {0};
	struct weft_str out = {0};
	char dir[64], *path, *link;

	if (geteuid() != 0)
		return; /* only root writes caches */
	snprintf(dir, sizeof(dir), "/run/weft-test.%d", (int)getpid());
	ck_assert_int_eq(weft_machine_parse(text, sizeof(text) - 1, &m, &err), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), 1);
	ck_assert_int_eq(weft_machine_save_cache(dir, m, true, &err), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), 0);
	ck_assert(again->borrowed);
	weft_machine_print(again, &out);
	ck_assert_str_eq(out.s, text);
	weft_str_free(&out);
	weft_machine_free(again);
	ck_assert_int_eq(weft_machine_save_cache(dir, m, false, &err), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), 0);
	ck_assert(!again->borrowed);
	weft_machine_free(again);

	spoil(dir, "\nhost ", "\nhost x");
	spoil(dir, "\nboot ", "\nboot 0");
	spoil(dir, "\nborrowed 0", "\nborrowed 1x");
	spoil(dir, "cpus=0,3", "cpus=0,4");
	spoil(dir, "weft-topology-cache 2", "weft-topology-cache 1");
	spoil(dir, "\nmark ", "\nmark 0");
	spoil(dir, "\nmark ", "\nremark ");

	path = weft_path_join(dir, "topology");
	link = weft_path_join(dir, "real");
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), -1);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chown(path, 65534, 0), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), -1);
	ck_assert_int_eq(chown(path, 0, 0), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), -1);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(rename(path, link), 0);
	ck_assert_int_eq(symlink("real", path), 0);
	ck_assert_int_eq(weft_machine_load_cache(dir, &again, &err), -1);
	ck_assert_int_eq(weft_remove_tree(dir, &err), 0);
	weft_err_clear(&err);
	free(path);
	free(link);
	weft_machine_free(m);
}
END_TEST

static void put(const char *root, const char *name, const char *what)
{
	weft_autofree char *path = weft_printf("%s/%s", root, name);
	weft_autofree char *dir = strdup(path);
	struct weft_err err = {0};

	*strrchr(dir, '/') = '\0';
	ck_assert_int_eq(weft_mkdirs(dir, 0755, &err), 0);
	ck_assert_int_eq(weft_write_file(path, what, strlen(what), 0644, &err), 0);
}

/* What may change while a machine is up, each by itself. */
START_TEST(mark)
{
	static const char mig[] = "proc/driver/nvidia/capabilities/gpu0/mig";
	static const char kfd[] = "sys/class/kfd/kfd/topology/nodes";
	static const struct {
		const char *name, *text;
		bool counts;
	} change[] = {
		{"sys/devices/system/cpu/online", "0-3\n", true},
		{"sys/devices/system/cpu/online", "0-1\n", true},
		{"sys/devices/system/node/online", "0-1\n", true},
		{"sys/module/nvidia/version", "550.54\n", true},
		{"sys/module/nvidia/version", "560.1\n", true},
		{"sys/module/amdgpu/srcversion", "ABC\n", true},
		{"%m/gi1/access", "", true},
		{"%m/gi1/ci0/access", "", true},
		{"%m/gi2/access", "", true},
		{"%m/config", "", false},
		{"proc/driver/nvidia/capabilities/mig/config", "", false},
		{"%k/0/properties", "", true},
		{"%k/1/properties", "", true},
		{"%k/1/properties", "simd_count 7\n", false},
		{"sys/class/net/lo/operstate", "up\n", false},
	};
	char root[] = "/tmp/weft-mark-XXXXXX", before[WEFT_DIGEST_HEX],
	     after[WEFT_DIGEST_HEX];
	struct weft_err err = {0};

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(weft_machine_mark(root, before, &err), 0);
	for (size_t i = 0; i < WEFT_COUNT(change); i++) {
		const char *name = change[i].name;
		weft_autofree char *full =
			*name == '%' ? weft_printf("%s%s", name[1] == 'm' ? mig : kfd,
					       name + 2)
				     : strdup(name);

		put(root, full, change[i].text);
		ck_assert_int_eq(weft_machine_mark(root, after, &err), 0);
		ck_assert_msg(change[i].counts == !!strcmp(before, after), "%s: %s",
			full, change[i].counts ? "not seen" : "seen");
		memcpy(before, after, sizeof(before));
	}
	ck_assert_int_eq(weft_remove_tree(root, &err), 0);
}
END_TEST

SUITE("topo_model", cpu_lists, round_trip, optional, broken, mark, cache)
