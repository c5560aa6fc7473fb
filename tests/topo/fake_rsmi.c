/* fake_rsmi.c - a ROCm SMI with as much as weft asks of it, for vendor.sh: devices at
 * domains 0, 1... bus 1, unique ids 0xbeef0, 0xbeef1... */
#include <stdint.h>

int rsmi_init(uint64_t flags);
int rsmi_shut_down(void);
int rsmi_num_monitor_devices(uint32_t *n);
int rsmi_dev_pci_id_get(uint32_t i, uint64_t *id);
int rsmi_dev_unique_id_get(uint32_t i, uint64_t *id);

int rsmi_init(uint64_t flags)
{
	(void)flags;
	return 0;
}

int rsmi_shut_down(void)
{
	return 0;
}

int rsmi_num_monitor_devices(uint32_t *n)
{
	*n = 4;
	return 0;
}

int rsmi_dev_pci_id_get(uint32_t i, uint64_t *id)
{
	*id = (uint64_t)i << 32 |
	      0x20000100; /* a partition's number in bits 28 to 31 */
	return 0;
}

int rsmi_dev_unique_id_get(uint32_t i, uint64_t *id)
{
	*id = 0xbeef0 + i;
	return 0;
}
