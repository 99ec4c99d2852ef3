/*
 * Absent page: a client hands over memory whose page nobody brings, as the argument of an ioctl, as that of one that
 * seccomp holds, or for DMA.
 *
 *   absent-page DEV NODE argument|held|dma present|userfaultfd|mount|fuse ATTRIBUTE FUSE DIR
 *
 * NODE is that of a device; for `held` that of a group, which is asked for a descriptor of the device that is named in the
 * page. The page belongs to a userfaultfd that nobody serves, to a mapped ATTRIBUTE of the daemon's own mount, or to a file
 * of a FUSE of the client's own, mounted at DIR, that does not answer READ; or, for comparison, it is present.
 *
 * Right: the client waits or gets an errno; nobody else waits. When it is killed, it ends.
 */
#include "vfio.h"
#include "own-fuse.h"
#include <linux/userfaultfd.h>
#include <sys/syscall.h>

static void *of_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		fail("userfaultfd");
	return page;
}

static void *of_file(int fd)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	if (page == MAP_FAILED)
		fail("mmap");
	return page;
}

static void *absent(char **argv)
{
	void *page;

	if (!strcmp(argv[4], "present"))
		return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!strcmp(argv[4], "userfaultfd"))
		return of_userfaultfd();
	if (!strcmp(argv[4], "mount"))
		return of_file(open(argv[5], O_RDONLY | O_CLOEXEC));
	page = of_file(own_file(argv[6], argv[7], 1, O_RDWR));
	own_be_silent(FUSE_READ);
	return page;
}

static int with_container(const char *dev, const char *node)
{
	int container = open_in(dev, "vfio/vfio"), group = open_in(dev, node);

	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) || ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		fail("container");
	return group;
}

int main(int argc, char **argv)
{
	struct vfio_device_info *info;
	struct opened opened;
	int error;
	void *page;

	if (argc != 8)
		return 2;
	if (!strcmp(argv[3], "held"))
		opened.device = with_container(argv[1], argv[2]);
	else
		opened = open_by_node(argv[1], argv[2]);
	page = absent(argv);
	info = page;
	if (!strcmp(argv[4], "present"))
		info->argsz = sizeof(*info);
	says("asks");
	if (!strcmp(argv[3], "argument"))
		error = ioctl(opened.device, VFIO_DEVICE_GET_INFO, page) ? errno : 0;
	else if (!strcmp(argv[3], "held"))
		error = ioctl(opened.device, VFIO_GROUP_GET_DEVICE_FD, page) < 0 ? errno : 0;
	else {
		error = map_in(opened.iommufd, opened.ioas, page, PAGE, 0) ? errno : 0;
		if (!error)
			error = command(opened.device, LOAD, 0, 0, PAGE);
	}
	says("returned %s", name_of(error));
	pause();
	return 0;
}
