/* fuzz_machine.h - a small machine with GPUs, for targets that bind to one. */
#ifndef WEFT_FUZZ_MACHINE_H
#define WEFT_FUZZ_MACHINE_H

#include "fuzz.h"
#include "topo/topo.h"

static inline const struct weft_machine *fuzz_machine(void)
{
	static const char model[] =
		"weft-topology 1\n"
		"host n1\n"
		"size packages=2 l3=4 cores=8 cpus=16 numa=2 gpus=3 nics=2\n"
		"numa 0 os=0 kind=dram bytes=17179869184 cpus=0-3,8-11\n"
		"numa 1 os=1 kind=dram bytes=17179869184 cpus=4-7,12-15\n"
		"core 0 package=0 numa=0 l3=0 cpus=0,8\n"
		"core 1 package=0 numa=0 l3=0 cpus=1,9\n"
		"core 2 package=0 numa=0 l3=1 cpus=2,10\n"
		"core 3 package=0 numa=0 l3=1 cpus=3,11\n"
		"core 4 package=1 numa=1 l3=2 cpus=4,12\n"
		"core 5 package=1 numa=1 l3=2 cpus=5,13\n"
		"core 6 package=1 numa=1 l3=3 cpus=6,14\n"
		"core 7 package=1 numa=1 l3=3 cpus=7,15\n"
		"gpu 0000:07:00.0 vendor=nvidia link=none package=0 cpus=0-3,8-11 "
		"path=0.1 "
		"name=- uuid=GPU-1\n"
		"gpu 0000:0b:00.0 vendor=nvidia link=none package=0 cpus=0-3,8-11 "
		"path=0.2 "
		"name=- uuid=GPU-2\n"
		"gpu 0000:87:00.0 vendor=nvidia link=none package=1 cpus=4-7,12-15 "
		"path=3.1 "
		"name=- uuid=GPU-3\n"
		"nic 0000:0a:00.0 vendor=other link=verbs package=0 cpus=0-3,8-11 "
		"path=0.2 "
		"name=mlx5_0 uuid=-\n"
		"nic 0000:8a:00.0 vendor=other link=verbs package=1 cpus=4-7,12-15 "
		"path=3.1 "
		"name=mlx5_1 uuid=-\n"
		"end\n";
	static struct weft_machine *m;

	if (!m)
		fuzz_must(weft_machine_parse(model, strlen(model), &m, NULL) == 0);
	return m;
}

#endif
