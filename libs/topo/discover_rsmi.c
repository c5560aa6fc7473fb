/* discover_rsmi - AMD's management library, where it is: for the unique id, where the
 * driver's own file isn't to be seen. */
#include <dlfcn.h>
#include <string.h>

#include "topo/discover_vendor.h"

static bool find(void *lib, const char *name, void *function)
{
	void *f = dlsym(lib, name);

	memcpy(function, &f, sizeof(f));
	return f;
}

static void *open_library(void)
{
	static const char *const names[] = {"librocm_smi64.so.7", "librocm_smi64.so.6",
		"librocm_smi64.so.5", "librocm_smi64.so.1", "librocm_smi64.so"};
	void *lib = NULL;

	for (size_t i = 0; !lib && i < WEFT_COUNT(names); i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	return lib;
}

bool weft_rsmi_unique_id(const char *pci, uint64_t *id)
{
	int (*init)(uint64_t), (*shut_down)(void), (*count)(uint32_t *);
	int (*pci_id)(uint32_t, uint64_t *), (*unique)(uint32_t, uint64_t *);
	unsigned domain, bus, dev, func;
	uint32_t n = 0;
	bool found = false;

	if (sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &dev, &func) != 4)
		return false;
	void *lib = open_library();
	if (!lib)
		return false;
	if (find(lib, "rsmi_init", &init) && find(lib, "rsmi_shut_down", &shut_down) &&
		find(lib, "rsmi_num_monitor_devices", &count) &&
		find(lib, "rsmi_dev_pci_id_get", &pci_id) &&
		find(lib, "rsmi_dev_unique_id_get", &unique) && init(0) == 0) {
		/* The domain is in the upper half; a partition's number, in bits 28 to
		 * 31, is not asked. */
		uint64_t want = (uint64_t)domain << 32 | bus << 8 | dev << 3 | func;
		uint64_t at;

		if (count(&n))
			n = 0;
		for (uint32_t i = 0; i < n && !found; i++)
			found = pci_id(i, &at) == 0 &&
				(at & ~UINT64_C(0xf0000000)) == want &&
				unique(i, id) == 0;
		shut_down();
	}
	dlclose(lib);
	return found;
}
