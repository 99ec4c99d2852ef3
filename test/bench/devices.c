/*
 * The benchmark's client of devices: a VFIO program that says how long its calls on each of several servers take. It has
 * all of them open at once and turns from one to the next after a few calls, so that what disturbs the machine disturbs
 * them alike.
 *
 *   devices WARMUP ROUNDS IOMMU DEVICE [IOMMU DEVICE...]
 *
 * DEVICE is the node of an mtty, IOMMU the node of iommufd beside it; of a server of its own each. A line of JSON for each
 * operation and each server: its name, the number of the server, and of each round the nanoseconds for one. The first
 * WARMUP calls are not timed. What a server answers is compared with what the first one did, and eventfds are counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* A server is waking up during the first so many calls of a turn; the others are timed. */
#define LEAD 10
#define CHUNK 50
#define SERVERS 8

/* linux/vfio.h of Linux 6.1 does not know it yet. */
#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

/* Registers of mtty: interrupt enable, and in it the interrupt of an empty transmitter, which it always is. */
#define IER 1
#define IER_THRI 2

struct server {
	const char *name;
	int device, eventfd;
	off_t uart, config;
	uint64_t rung;
	uint32_t id;
	struct vfio_region_info info;
};

static void fail(const char *name, const char *what)
{
	fprintf(stderr, "devices: %s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void op_read(struct server *s)
{
	if (pread(s->device, &s->id, sizeof(s->id), s->config) != sizeof(s->id))
		fail(s->name, "pread");
}

static void op_ioctl(struct server *s)
{
	memset(&s->info, 0, sizeof(s->info));
	s->info.argsz = sizeof(s->info);
	s->info.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(s->device, VFIO_DEVICE_GET_REGION_INFO, &s->info))
		fail(s->name, "VFIO_DEVICE_GET_REGION_INFO");
}

static void op_doorbell(struct server *s)
{
	const uint8_t enable = IER_THRI;

	if (pwrite(s->device, &enable, 1, s->uart + IER) != 1)
		fail(s->name, "pwrite");
	s->rung++;
}

static const struct {
	const char *name;
	void (*once)(struct server *);
} operations[] = {
	{ "read", op_read },
	{ "ioctl", op_ioctl },
	{ "doorbell", op_doorbell },
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void set_up(struct server *s, const char *iommu, const char *device)
{
	struct {
		uint32_t argsz, flags;
		int32_t iommufd;
		uint32_t out_devid;
	} bind = { .argsz = sizeof(bind) };
	struct vfio_device_info device_info = { .argsz = sizeof(device_info) };
	struct vfio_region_info uart = { .argsz = sizeof(uart), .index = VFIO_PCI_BAR0_REGION_INDEX };
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	} irq = { .set = {
		.argsz = sizeof(irq),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
		.count = 1,
	} };

	s->name = device;
	s->device = open(device, O_RDWR | O_CLOEXEC);
	bind.iommufd = open(iommu, O_RDWR | O_CLOEXEC);
	if (s->device < 0 || bind.iommufd < 0)
		fail(s->device < 0 ? device : iommu, "open");
	if (ioctl(s->device, BIND_IOMMUFD, &bind))
		fail(device, "VFIO_DEVICE_BIND_IOMMUFD");
	if (ioctl(s->device, VFIO_DEVICE_GET_INFO, &device_info))
		fail(device, "VFIO_DEVICE_GET_INFO");
	if (ioctl(s->device, VFIO_DEVICE_GET_REGION_INFO, &uart))
		fail(device, "VFIO_DEVICE_GET_REGION_INFO");
	s->uart = uart.offset;
	op_ioctl(s);
	s->config = s->info.offset;
	s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	memcpy(irq.set.data, &s->eventfd, sizeof(int32_t));
	if (ioctl(s->device, VFIO_DEVICE_SET_IRQS, &irq))
		fail(device, "VFIO_DEVICE_SET_IRQS");
}

static void check(const struct server *s, const struct server *first)
{
	uint64_t count;

	if (s->id != first->id || memcmp(&s->info, &first->info, sizeof(s->info))) {
		fprintf(stderr, "devices: %s and %s answer differently\n", s->name, first->name);
		exit(1);
	}
	if (read(s->eventfd, &count, sizeof(count)) != sizeof(count) || count != s->rung) {
		fprintf(stderr, "devices: %s: not each doorbell fired the eventfd\n", s->name);
		exit(1);
	}
}

static double turn(void (*once)(struct server *), struct server *s)
{
	double start;
	int i;

	for (i = 0; i < LEAD; i++)
		once(s);
	start = now();
	for (i = 0; i < CHUNK; i++)
		once(s);
	return (now() - start) / CHUNK;
}

int main(int argc, char **argv)
{
	long warm_up = argc > 4 ? atol(argv[1]) : 0, rounds = argc > 4 ? atol(argv[2]) : 0, round, i;
	struct server servers[SERVERS] = { 0 };
	size_t count = (argc - 3) / 2, op, at;
	double *times;

	if (argc < 5 || argc % 2 == 0 || count > SERVERS || rounds < 1) {
		fprintf(stderr, "usage: devices WARMUP ROUNDS IOMMU DEVICE [IOMMU DEVICE...]\n");
		return 2;
	}
	times = calloc(OPERATIONS * count * rounds, sizeof(*times));
	if (!times)
		fail("times", "calloc");
	for (at = 0; at < count; at++) {
		set_up(&servers[at], argv[3 + 2 * at], argv[4 + 2 * at]);
		for (op = 0; op < OPERATIONS; op++)
			for (i = 0; i < warm_up; i++)
				operations[op].once(&servers[at]);
	}
	for (round = 0; round < rounds; round++)
		for (op = 0; op < OPERATIONS; op++)
			for (i = 0; i < (long)count; i++) {
				/* Another one is first every time. */
				at = (i + round) % count;
				times[(op * count + at) * rounds + round] = turn(operations[op].once, &servers[at]);
			}
	for (at = 0; at < count; at++)
		check(&servers[at], &servers[0]);
	for (op = 0; op < OPERATIONS; op++)
		for (at = 0; at < count; at++) {
			printf("{\"operation\":\"%s\",\"server\":%zu,\"times\":[", operations[op].name, at);
			for (round = 0; round < rounds; round++)
				printf("%s%.0f", round ? "," : "", times[(op * count + at) * rounds + round]);
			printf("]}\n");
		}
	return 0;
}
