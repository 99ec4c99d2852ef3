/*
 * Holder: a VFIO client by container and group that reads its device and asks for further descriptors of it, which
 * seccomp holds until the daemon answers; until there is no daemon any more.
 *
 *   holder SYS DEV UUID
 *
 * Right: both kinds of calls fail when the daemon is killed, also when they wait for it just then.
 */
#include "vfio.h"

int main(int argc, char **argv)
{
	unsigned long operations = 0;
	struct container opened;
	int device, another;
	uint32_t id;

	if (argc != 4)
		return 2;
	opened = open_group(argv[1], argv[2], argv[3]);
	device = ioctl(opened.group, VFIO_GROUP_GET_DEVICE_FD, argv[3]);
	if (device < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD");
	says("runs");
	while (pread(device, &id, sizeof(id), CONFIG) == sizeof(id)) {
		another = ioctl(opened.group, VFIO_GROUP_GET_DEVICE_FD, argv[3]);
		if (another < 0)
			break;
		close(another);
		operations += 2;
	}
	figure("operations", operations);
	says("ended by %s", name_of(errno));
	return 0;
}
