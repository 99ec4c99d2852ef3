/*
 * Silent file: a client hands over a descriptor of a file of its own FUSE, which does not answer from then on.
 *
 *   silent-file DEV NODE GROUP feature|bind|container|eventfd getattr|flush|release FUSE DIR
 *
 * The daemon has to find out what the file is; it may ask for its attributes, and close its copy. `feature` makes a
 * request on the file itself, whose name is that of a device; the others name it in a request on the device NODE or on
 * the node of its GROUP.
 *
 * Right: the client waits or gets an errno; nobody else waits. When it is killed, it ends.
 */
#include "vfio.h"
#include "own-fuse.h"

int main(int argc, char **argv)
{
	struct irq_eventfd irq = { .set = { .argsz = sizeof(irq),
					    .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
					    .index = VFIO_PCI_MSI_IRQ_INDEX, .count = 1 } };
	char feature[64] = { 64 };
	const char *request;
	int file, node = -1, result;
	struct opened opened;

	if (argc != 8)
		return 2;
	request = argv[4];
	file = own_file(argv[6], argv[7], 1, O_RDWR);
	irq.fd = file;
	if (!strcmp(request, "eventfd")) {
		opened = open_by_node(argv[1], argv[2]);
		node = opened.device;
	} else if (strcmp(request, "feature"))
		node = open_in(argv[1], argv[!strcmp(request, "bind") ? 2 : 3]);
	own_be_silent(!strcmp(argv[5], "getattr") ? FUSE_GETATTR : !strcmp(argv[5], "flush") ? FUSE_FLUSH : FUSE_RELEASE);
	says("asks");
	if (!strcmp(request, "feature"))
		result = ioctl(file, FEATURE, feature);
	else if (!strcmp(request, "bind"))
		result = bind_to(node, file);
	else if (!strcmp(request, "container"))
		result = ioctl(node, VFIO_GROUP_SET_CONTAINER, &file);
	else
		result = ioctl(node, VFIO_DEVICE_SET_IRQS, &irq);
	says("returned %s", name_of(result < 0 ? errno : 0));
	pause();
	return 0;
}
