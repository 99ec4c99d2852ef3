/*
 * Ioctl noise: random requests with random structures, on real descriptors of containers, groups, devices and iommufds.
 *
 *   ioctl-noise SYS DEV UUID NODE CALLS SEED
 *
 * Numbers in the structures are such that a good part is understood: sizes, flags, descriptors, addresses. Arguments
 * also lie where nothing can be read or written, and at the edge of memory.
 *
 * Right: each call ends, with an errno of a kernel. EIO is a fault of the daemon, ENOTCONN says that it is gone.
 */
#include "vfio.h"
#include <sys/eventfd.h>

enum kind { CONTAINER, GROUP, GROUP_DEVICE, IOMMUFD, NODE, KINDS };

#define WORDS 32
#define PAGES 256

static const char *sys, *dev, *uuid, *node;
static uint64_t dice;
static int fds[KINDS] = { -1, -1, -1, -1, -1 }, event;
static unsigned char *memory, *read_only, *nothing, *edge;

static uint32_t below(uint32_t n)
{
	return roll(&dice) % n;
}

static void reopen(void)
{
	char path[PATH_ROOM];

	for (int i = 0; i < KINDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	fds[CONTAINER] = open_in(dev, "vfio/vfio");
	fds[IOMMUFD] = open_in(dev, "iommu");
	if (below(2)) {
		snprintf(path, sizeof(path), "%s/vfio/%s", dev, group_of(sys, uuid));
		fds[GROUP] = open(path, O_RDWR | O_CLOEXEC);
		if (fds[GROUP] < 0 || below(2))
			return;
		ioctl(fds[GROUP], VFIO_GROUP_SET_CONTAINER, &fds[CONTAINER]);
		ioctl(fds[CONTAINER], VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU);
		fds[GROUP_DEVICE] = ioctl(fds[GROUP], VFIO_GROUP_GET_DEVICE_FD, uuid);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", dev, node);
	fds[NODE] = open(path, O_RDWR | O_CLOEXEC);
	if (fds[NODE] >= 0 && below(2) && bind_to(fds[NODE], fds[IOMMUFD]) == 0)
		attach_to(fds[NODE], new_ioas(fds[IOMMUFD]));
}

static uint32_t word(void)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return roll(&dice);
	case 2:
		return 1u << below(32);
	case 3:
		return fds[below(KINDS)];
	case 4:
		return event;
	case 5:
		return below(16);
	case 6:
		return UINT32_MAX;
	default:
		return PAGE * below(8);
	}
}

static void *structure(void)
{
	unsigned char *at = memory + below(8) * PAGE;
	uint32_t *words = (uint32_t *)at, size = 8 + 4 * below(30);
	uint64_t address = (uintptr_t)(memory + PAGE * below(16));

	for (int i = 0; i < WORDS; i++)
		words[i] = word();
	words[0] = below(4) ? size : below(3) ? below(200) : (uint32_t)roll(&dice);
	if (below(3))
		words[1] = 0;
	if (below(3) == 0)
		memcpy(at + 16, &address, sizeof(address));
	if (below(3) == 0) {
		words[6] = below(2) ? PAGE : 16 * PAGE;
		words[7] = words[9] = 0;
	}
	return at;
}

static void *argument(void)
{
	void *good = structure();

	switch (below(24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)roll(&dice);
	case 2:
		return read_only;
	case 3:
		return nothing;
	case 4:
		memcpy(edge + PAGE - 8, good, 8);
		return edge + PAGE - 4 * below(5);
	case 5:
		return (void *)(uintptr_t)below(64);
	default:
		return good;
	}
}

/* A request may have made a descriptor, and the number is what was returned; other requests return counts. */
static void drop(int result)
{
	if (result <= STDERR_FILENO || result == event || fcntl(result, F_GETFD) < 0)
		return;
	for (int i = 0; i < KINDS; i++)
		if (fds[i] == result)
			return;
	close(result);
}

static void regions(int fd)
{
	char bytes[256];
	off_t at = (off_t)REGION(below(12)) | below(8192);

	if (pread(fd, bytes, below(sizeof(bytes)), at) < 0 && errno == EIO)
		wrong("read at %lx: EIO", (unsigned long)at);
	if (below(2) && pwrite(fd, bytes, below(16), at) < 0 && errno == EIO)
		wrong("write at %lx: EIO", (unsigned long)at);
}

static void lose_a_page(void)
{
	mmap(memory + PAGE * below(16), PAGE, below(2) ? PROT_NONE : PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mprotect(memory, 16 * PAGE, PROT_READ | PROT_WRITE);
}

int main(int argc, char **argv)
{
	unsigned long calls, good = 0, bad = 0;
	double since, longest = 0;

	if (argc != 7)
		return 2;
	sys = argv[1];
	dev = argv[2];
	uuid = argv[3];
	node = argv[4];
	calls = atol(argv[5]);
	dice = seed_of(atol(argv[6]));
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	nothing = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(edge + PAGE, PAGE);
	for (unsigned long i = 0; i < calls; i++) {
		unsigned long request = below(50) == 0 ? (uint32_t)roll(&dice)
				      : below(2)	 ? _IO(VFIO_TYPE, VFIO_BASE + below(24))
							 : _IO(VFIO_TYPE, 0x80 + below(22));
		int fd, result;

		if (fds[CONTAINER] < 0 || below(500) == 0)
			reopen();
		fd = fds[below(KINDS)];
		if (fd < 0)
			continue;
		if (below(500) == 0)
			lose_a_page();
		since = now();
		result = ioctl(fd, request, argument());
		if (now() - since > longest)
			longest = now() - since;
		if (result >= 0) {
			good++;
			drop(result);
		} else if (is_gone(errno) && bad++ < 5)
			wrong("request %lx: %s", request, name_of(errno));
		if (below(20) == 0)
			regions(fd);
	}
	figure("operations", calls);
	figure("worst_us", longest * 1e6);
	says("%lu of %lu requests succeeded", good, calls);
	return 0;
}
