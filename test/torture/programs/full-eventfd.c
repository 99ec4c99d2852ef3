/*
 * Full eventfd: a client hands over an eventfd that blocks its writers and is full, and has an mtty interrupt with it.
 *
 *   full-eventfd DEV NODE
 *
 * Right: eventfd_signal() of a kernel never waits; it leaves the counter as full as it is. So the writes that raise the
 * interrupt return, and everybody else is served.
 */
#include "vfio.h"
#include <sys/eventfd.h>

/* Register of mtty: interrupt enable, and in it the interrupt of an empty transmitter, which it always is. */
#define IER 1
#define IER_THRI 2

int main(int argc, char **argv)
{
	struct irq_eventfd irq = { .set = { .argsz = sizeof(irq),
					    .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
					    .count = 1 } };
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint64_t full = UINT64_MAX - 1;
	uint8_t on = IER_THRI, off = 0;
	struct opened opened;

	if (argc != 3)
		return 2;
	opened = open_by_node(argv[1], argv[2]);
	/* mtty has no interrupts before somebody asked how many there are. */
	if (ioctl(opened.device, VFIO_DEVICE_GET_INFO, &info))
		fail("VFIO_DEVICE_GET_INFO");
	irq.fd = eventfd(0, EFD_CLOEXEC);
	if (write(irq.fd, &full, sizeof(full)) != sizeof(full))
		fail("eventfd");
	says("asks");
	if (ioctl(opened.device, VFIO_DEVICE_SET_IRQS, &irq))
		wrong("VFIO_DEVICE_SET_IRQS: %s", name_of(errno));
	for (int i = 0; i < 100; i++)
		if (pwrite(opened.device, &on, 1, IER) != 1 || pwrite(opened.device, &off, 1, IER) != 1)
			wrong("write of a register: %s", name_of(errno));
	figure("operations", 200);
	says("returned");
	pause();
	return 0;
}
