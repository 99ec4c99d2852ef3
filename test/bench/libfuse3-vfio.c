/*
 * The yardstick for devices: what an ordinary, well-written server of a VFIO device costs. A C program over libfuse's low
 * level, one thread, direct I/O, with two files: `iommu`, which is nothing but there, and `device`, which answers what
 * devices.c asks of the daemon's mtty:
 *
 *   VFIO_DEVICE_BIND_IOMMUFD, GET_INFO, GET_REGION_INFO, SET_IRQS   in the memory of the caller: VFIO's codes have no size,
 *                                                                  so the kernel brings nothing along
 *   read                                                           of configuration space
 *   write to the interrupt enable register                         signals the eventfd of SET_IRQS
 *
 *   libfuse3-vfio DIR
 */
#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define SPACING (1ull << 40)
#define CONFIG_SIZE 0xff
#define UART_SIZE 8
#define IER 1
#define IER_THRI 2

enum { IOMMU = 2, DEVICE };
static const char *const names[] = { [IOMMU] = "iommu", [DEVICE] = "device" };

struct bind {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_devid;
};

static uint8_t config[CONFIG_SIZE], ier;
static int msi = -1;

static int fetch(pid_t pid, const void *from, void *to, size_t length)
{
	struct iovec local = { to, length }, remote = { (void *)from, length };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)length ? 0 : EFAULT;
}

static int store(pid_t pid, void *to, const void *from, size_t length)
{
	struct iovec local = { (void *)from, length }, remote = { to, length };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)length ? 0 : EFAULT;
}

static int bind_iommufd(pid_t pid, char *arg)
{
	struct bind bind;
	int error = fetch(pid, arg, &bind, sizeof(bind));

	if (error)
		return error;
	if (bind.argsz < sizeof(bind) || bind.flags)
		return EINVAL;
	bind.out_devid = 1;
	return store(pid, arg + offsetof(struct bind, out_devid), &bind.out_devid, sizeof(bind.out_devid));
}

static int get_info(pid_t pid, char *arg)
{
	const size_t size = offsetof(struct vfio_device_info, num_irqs) + 4;
	struct vfio_device_info info;
	int error = fetch(pid, arg, &info, size);

	if (error)
		return error;
	if (info.argsz < size)
		return EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return store(pid, arg + offsetof(struct vfio_device_info, flags), &info.flags, size - 4);
}

static int get_region_info(pid_t pid, char *arg)
{
	struct vfio_region_info info;
	int error = fetch(pid, arg, &info, sizeof(info));

	if (error)
		return error;
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS)
		return EINVAL;
	info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info.size = info.index == VFIO_PCI_CONFIG_REGION_INDEX ? CONFIG_SIZE : info.index == 0 ? UART_SIZE : 0;
	info.offset = info.index * SPACING;
	return store(pid, arg, &info, sizeof(info));
}

/* Only what the client asks for: the eventfd of MSI. */
static int set_irqs(pid_t pid, char *arg)
{
	struct vfio_irq_set set;
	int32_t fd;
	int pidfd, error = fetch(pid, arg, &set, sizeof(set));

	if (error)
		return error;
	if (set.argsz < sizeof(set) + sizeof(fd) || set.index != VFIO_PCI_MSI_IRQ_INDEX || set.start || set.count != 1 ||
	    set.flags != (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER))
		return EINVAL;
	error = fetch(pid, arg + sizeof(set), &fd, sizeof(fd));
	if (error)
		return error;
	/* The client has one thread, so its number is that of the process. */
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno;
	msi = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	error = msi < 0 ? EBADF : 0;
	close(pidfd);
	return error;
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned request, void *arg, struct fuse_file_info *fi,
		     unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	pid_t pid = fuse_req_ctx(req)->pid;
	int error = ENOTTY;

	(void)fi, (void)flags, (void)in, (void)in_size, (void)out_size;
	if (ino == DEVICE)
		switch (request) {
		case BIND_IOMMUFD:
			error = bind_iommufd(pid, arg);
			break;
		case VFIO_DEVICE_GET_INFO:
			error = get_info(pid, arg);
			break;
		case VFIO_DEVICE_GET_REGION_INFO:
			error = get_region_info(pid, arg);
			break;
		case VFIO_DEVICE_SET_IRQS:
			error = set_irqs(pid, arg);
			break;
		}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	uint64_t at = offset % SPACING;

	(void)fi;
	if (ino != DEVICE || offset / SPACING != VFIO_PCI_CONFIG_REGION_INDEX || at + size > CONFIG_SIZE)
		fuse_reply_err(req, EINVAL);
	else
		fuse_reply_buf(req, (char *)config + at, size);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	const uint64_t one = 1;

	(void)fi;
	if (ino != DEVICE || offset != IER || size != 1) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	ier = *data;
	if (ier & IER_THRI && msi >= 0 && write(msi, &one, sizeof(one)) < 0)
		perror("eventfd");
	fuse_reply_write(req, size);
}

static struct stat stat_of(fuse_ino_t ino)
{
	return (struct stat){ .st_ino = ino, .st_nlink = 1, .st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600 };
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { 0 };

	(void)parent;
	for (entry.ino = DEVICE; entry.ino >= IOMMU; entry.ino--)
		if (!strcmp(name, names[entry.ino])) {
			entry.attr = stat_of(entry.ino);
			fuse_reply_entry(req, &entry);
			return;
		}
	fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = stat_of(ino);

	(void)fi;
	fuse_reply_attr(req, &st, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.ioctl = op_ioctl,
};

int main(int argc, char **argv)
{
	char *words[] = { argv[0], "-o", "fsname=mdevfs-bench,default_permissions", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, words);
	struct fuse_session *session;
	int result;

	if (argc != 2) {
		fprintf(stderr, "usage: libfuse3-vfio DIR\n");
		return 2;
	}
	memcpy(config, "HCS2", 4);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1]))
		return 1;
	printf("%s\n", argv[1]);
	fflush(stdout);
	result = fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return result < 0;
}
