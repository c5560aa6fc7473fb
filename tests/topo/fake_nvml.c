/*
 * fake_nvml.c - an NVML with as much as weft asks of it, for vendor.sh.
 *
 * FAKE_NVML says what it has: "PCI UUID [GI.CI MIG-UUID]...;...".  "hang": it never
 * answers; "fail": it has no driver; "crash".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct device {
	char pci[32], uuid[64], mig_uuid[8][64];
	unsigned gi[8], ci[8], n;
	struct mig {
		struct device *of;
		unsigned i;
	} mig[8];
};

static struct device device[8];
static unsigned n_devices;

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **d);
int nvmlDeviceGetUUID(void *d, char *uuid, unsigned size);
int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *n);
int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **mig);
int nvmlDeviceGetGpuInstanceId(void *mig, unsigned *id);
int nvmlDeviceGetComputeInstanceId(void *mig, unsigned *id);

int nvmlInit_v2(void)
{
	const char *have = getenv("FAKE_NVML");
	char *copy = strdup(have ? have : "fail"), *save = NULL;

	if (!strcmp(copy, "hang"))
		for (;;)
			pause();
	if (!strcmp(copy, "crash"))
		raise(SIGSEGV);
	if (!strcmp(copy, "fail"))
		return 9;
	for (char *s = strtok_r(copy, ";", &save); s; s = strtok_r(NULL, ";", &save)) {
		struct device *d = &device[n_devices++];
		int used = 0;

		sscanf(s, "%31s %63s%n", d->pci, d->uuid, &used);
		while (sscanf(s += used, " %u.%u %63s%n", &d->gi[d->n], &d->ci[d->n],
			       d->mig_uuid[d->n], &used) == 3) {
			d->mig[d->n] = (struct mig){d, d->n};
			d->n++;
		}
	}
	free(copy);
	return 0;
}

int nvmlShutdown(void)
{
	return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **d)
{
	for (unsigned i = 0; i < n_devices; i++)
		if (!strcmp(device[i].pci, pci)) {
			*d = &device[i];
			return 0;
		}
	return 6;
}

static struct mig *as_mig(void *handle)
{
	for (unsigned i = 0; i < n_devices; i++)
		for (unsigned k = 0; k < device[i].n; k++)
			if (handle == &device[i].mig[k])
				return handle;
	return NULL;
}

int nvmlDeviceGetUUID(void *d, char *uuid, unsigned size)
{
	struct mig *m = as_mig(d);

	snprintf(uuid, size, "%s",
		m ? m->of->mig_uuid[m->i] : ((struct device *)d)->uuid);
	return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *n)
{
	(void)d;
	*n = 7;
	return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **mig)
{
	struct device *of = d;

	if (i >= of->n)
		return 6;
	*mig = &of->mig[i];
	return 0;
}

int nvmlDeviceGetGpuInstanceId(void *mig, unsigned *id)
{
	struct mig *m = as_mig(mig);

	*id = m->of->gi[m->i];
	return 0;
}

int nvmlDeviceGetComputeInstanceId(void *mig, unsigned *id)
{
	struct mig *m = as_mig(mig);

	*id = m->of->ci[m->i];
	return 0;
}
