/*
 * Ways to a device that programs of test/torture take, and requests that linux/vfio.h of Linux 6.1 does not know yet.
 */
#ifndef TORTURE_VFIO_H
#define TORTURE_VFIO_H

#include "torture.h"
#include <linux/vfio.h>

#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define FEATURE _IO(VFIO_TYPE, VFIO_BASE + 17)
#define IOAS_ALLOC _IO(VFIO_TYPE, 0x81)
#define IOAS_MAP _IO(VFIO_TYPE, 0x85)
#define IOMMU_DESTROY_ID _IO(VFIO_TYPE, 0x80)

/* Where regions begin, and registers of a vGPU (docs/vgpu-device.md). */
#define REGION(index) ((uint64_t)(index) << 40)
#define CONFIG REGION(7)
#define SOURCE 0x10
#define DESTINATION 0x18
#define LENGTH 0x20
#define COMMAND 0x24
#define COMMAND_ERROR 0x2c
#define LOAD 2
#define STORE 3
#define PIN 4

struct bind {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t devid;
};

struct attach {
	uint32_t argsz, flags, id;
};

struct ioas_alloc {
	uint32_t size, flags, id;
};

struct ioas_map {
	uint32_t size, flags, ioas, reserved;
	uint64_t vaddr, length, iova;
};

struct irq_eventfd {
	struct vfio_irq_set set;
	int32_t fd;
};

static inline int open_in(const char *folder, const char *name)
{
	char path[PATH_ROOM];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static inline int bind_to(int device, int iommufd)
{
	struct bind bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	return ioctl(device, BIND_IOMMUFD, &bind);
}

static inline uint32_t new_ioas(int iommufd)
{
	struct ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(iommufd, IOAS_ALLOC, &alloc))
		fail("IOMMU_IOAS_ALLOC");
	return alloc.id;
}

static inline int attach_to(int device, uint32_t ioas)
{
	struct attach attach = { .argsz = sizeof(attach), .id = ioas };

	return ioctl(device, ATTACH_IOMMUFD_PT, &attach);
}

static inline int map_in(int iommufd, uint32_t ioas, void *memory, uint64_t length, uint64_t iova)
{
	struct ioas_map map = { .size = sizeof(map), .flags = 7, .ioas = ioas, .vaddr = (uintptr_t)memory,
				.length = length, .iova = iova };

	return ioctl(iommufd, IOAS_MAP, &map);
}

/* A device by its node and an iommufd, bound and attached to a new address space. */
struct opened {
	int device, iommufd;
	uint32_t ioas;
};

static inline struct opened open_by_node(const char *dev, const char *node)
{
	struct opened opened = { .device = open_in(dev, node), .iommufd = open_in(dev, "iommu") };

	if (bind_to(opened.device, opened.iommufd))
		fail("VFIO_DEVICE_BIND_IOMMUFD");
	opened.ioas = new_ioas(opened.iommufd);
	if (attach_to(opened.device, opened.ioas))
		fail("VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	return opened;
}

/* The number of the group of a device, from sysfs. */
static inline const char *group_of(const char *sys, const char *uuid)
{
	static char target[PATH_ROOM];
	char path[PATH_ROOM];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/bus/mdev/devices/%s/iommu_group", sys, uuid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		fail(path);
	target[length] = '\0';
	return strrchr(target, '/') + 1;
}

/* A container with the group of a device in it. */
struct container {
	int container, group;
};

static inline struct container open_group(const char *sys, const char *dev, const char *uuid)
{
	struct container opened = { .container = open_in(dev, "vfio/vfio") };
	char name[64];

	snprintf(name, sizeof(name), "vfio/%s", group_of(sys, uuid));
	opened.group = open_in(dev, name);
	if (ioctl(opened.group, VFIO_GROUP_SET_CONTAINER, &opened.container))
		fail("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(opened.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		fail("VFIO_SET_IOMMU");
	return opened;
}

static inline void set_register(int device, uint64_t offset, uint32_t value)
{
	if (pwrite(device, &value, sizeof(value), offset) != sizeof(value))
		fail("write of a register");
}

/* Runs a command of a vGPU. Returns the errno that it leaves. */
static inline int command(int device, uint32_t number, uint64_t source, uint64_t destination, uint32_t length)
{
	uint32_t error = 0;
	uint16_t bus_master = 6;

	if (pwrite(device, &bus_master, sizeof(bus_master), CONFIG + 4) != sizeof(bus_master))
		fail("write of the command register");
	set_register(device, SOURCE, source);
	set_register(device, SOURCE + 4, source >> 32);
	set_register(device, DESTINATION, destination);
	set_register(device, DESTINATION + 4, destination >> 32);
	set_register(device, LENGTH, length);
	set_register(device, COMMAND, number);
	if (pread(device, &error, sizeof(error), COMMAND_ERROR) != sizeof(error))
		fail("read of a register");
	return error;
}

#endif
