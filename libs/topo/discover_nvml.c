/*
 * discover_nvml - NVIDIA's management library, where it is: MIG's UUIDs stand in no
 * file.  Declared here as its documentation has it, since its header is nobody's
 * build dependency; loaded at run time alone.
 */
#include <dlfcn.h>
#include <string.h>

#include "topo/discover_vendor.h"

typedef void *device;

static struct {
	void *lib;
	bool tried;
	int (*init)(void);
	int (*shutdown)(void);
	int (*by_pci)(const char *, device *);
	int (*uuid)(device, char *, unsigned);
	int (*max_mig)(device, unsigned *);
	int (*mig)(device, unsigned, device *);
	int (*gpu_instance)(device, unsigned *);
	int (*compute_instance)(device, unsigned *);
} nvml;

static bool find(const char *name, void *function)
{
	void *f = dlsym(nvml.lib, name);

	memcpy(function, &f, sizeof(f));
	return f;
}

bool weft_nvml_open(void)
{
	if (nvml.tried)
		return nvml.lib;
	nvml.tried = true;
	nvml.lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!nvml.lib)
		return false;
	if (find("nvmlInit_v2", &nvml.init) && find("nvmlShutdown", &nvml.shutdown) &&
		find("nvmlDeviceGetHandleByPciBusId_v2", &nvml.by_pci) &&
		find("nvmlDeviceGetUUID", &nvml.uuid) && nvml.init() == 0) {
		/* Drivers before MIG lack these. */
		if (!find("nvmlDeviceGetMaxMigDeviceCount", &nvml.max_mig) ||
			!find("nvmlDeviceGetMigDeviceHandleByIndex", &nvml.mig) ||
			!find("nvmlDeviceGetGpuInstanceId", &nvml.gpu_instance) ||
			!find("nvmlDeviceGetComputeInstanceId", &nvml.compute_instance))
			nvml.max_mig = NULL;
		return true;
	}
	dlclose(nvml.lib);
	nvml.lib = NULL;
	return false;
}

void weft_nvml_close(void)
{
	if (!nvml.lib)
		return;
	nvml.shutdown();
	dlclose(nvml.lib);
	memset(&nvml, 0, sizeof(nvml));
}

static bool get_uuid(device d, char *uuid)
{
	if (nvml.uuid(d, uuid, 64))
		uuid[0] = '\0';
	uuid[63] = '\0';
	return *uuid;
}

bool weft_nvml_gpu(
	const char *pci, char *uuid, struct weft_gpu_part *part, size_t *n_parts)
{
	unsigned most = 0;
	device gpu, mig;

	*n_parts = 0;
	if (nvml.by_pci(pci, &gpu) || !get_uuid(gpu, uuid))
		return false;
	if (!nvml.max_mig || nvml.max_mig(gpu, &most))
		return true;
	for (unsigned i = 0; i < most && *n_parts < WEFT_MAX_PARTS; i++) {
		struct weft_gpu_part *p = &part[*n_parts];

		if (nvml.mig(gpu, i, &mig) || nvml.gpu_instance(mig, &p->gi) ||
			nvml.compute_instance(mig, &p->ci) || !get_uuid(mig, p->uuid))
			continue;
		++*n_parts;
	}
	return true;
}
