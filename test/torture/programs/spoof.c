/*
 * Spoof: a client names a file as an iommufd, a container, a group or a device that is none.
 *
 *   spoof REQUEST NODE FILE
 *
 * REQUEST is made on NODE and names the FILE (`bind`: VFIO_DEVICE_BIND_IOMMUFD, `container`:
 * VFIO_GROUP_SET_CONTAINER), or it is made on the FILE itself (`device-fd`: VFIO_GROUP_GET_DEVICE_FD with NODE for a
 * name, `feature`: VFIO_DEVICE_FEATURE). FILE is one of
 *
 *   own:FUSE:DIR:INODE   a file with this inode number, of a FUSE of its own that is mounted at DIR
 *   null:DIR             /dev/null, bound over DIR/vfio/devices/vfio0
 *   bound:PATH:DIR       a file of what is at PATH, which is bound to DIR
 *   path:PATH            opened by O_PATH
 *   file:PATH            opened for both
 *
 * Right: the errno of a kernel, and never somebody else's memory.
 */
#include "vfio.h"
#include "own-fuse.h"

#define IOVA 0x10000
/* Numbers that objects of the victim's iommufd may have. */
#define OBJECTS 8

static char *next_word(char **rest)
{
	return strsep(rest, ":");
}

static int null_at(const char *dir)
{
	char path[PATH_ROOM];
	int fd;

	if (mount("none", dir, "tmpfs", 0, NULL))
		fail("mount of a tmpfs");
	snprintf(path, sizeof(path), "%s/vfio", dir);
	mkdir(path, 0755);
	strcat(path, "/devices");
	mkdir(path, 0755);
	strcat(path, "/vfio0");
	close(open(path, O_CREAT | O_WRONLY, 0666));
	if (mount("/dev/null", path, NULL, MS_BIND, NULL))
		fail("bind mount of /dev/null");
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd;
}

static int bound(const char *path, const char *dir)
{
	char file[PATH_ROOM];

	if (mount(path, dir, NULL, MS_BIND | MS_REC, NULL))
		fail("bind mount");
	snprintf(file, sizeof(file), "%s/iommu", dir);
	return open(file, O_RDWR | O_CLOEXEC);
}

static int file_of(char *words)
{
	char *kind = next_word(&words), *first = next_word(&words), *second = next_word(&words);

	if (!strcmp(kind, "own"))
		return own_file(first, second, strtoull(words, NULL, 10), O_RDWR);
	if (!strcmp(kind, "null"))
		return null_at(first);
	if (!strcmp(kind, "bound"))
		return bound(first, second);
	return open(first, !strcmp(kind, "path") ? O_PATH | O_CLOEXEC : O_RDWR | O_CLOEXEC);
}

/* A device that is bound to somebody else's iommufd can be attached to what is in it. */
static void steal(int device)
{
	char text[16] = "";

	for (uint32_t id = 1; id <= OBJECTS; id++)
		if (attach_to(device, id) == 0) {
			command(device, LOAD, IOVA, 0, PAGE);
			if (pread(device, text, sizeof(text) - 1, REGION(1)) < 0)
				fail("read of a region");
			wrong("attached to object %u of another process, whose memory reads: %s", id, text);
			command(device, STORE, 0x100, IOVA, 16);
		}
}

int main(int argc, char **argv)
{
	int fd, node, error = 0, made;
	char feature[64] = { 64 };

	if (argc != 4)
		return 2;
	fd = file_of(argv[3]);
	if (fd < 0)
		fail("open of what is to be named");
	if (!strcmp(argv[1], "feature"))
		error = ioctl(fd, FEATURE, feature) ? errno : 0;
	else if (!strcmp(argv[1], "device-fd")) {
		made = ioctl(fd, VFIO_GROUP_GET_DEVICE_FD, argv[2]);
		error = made < 0 ? errno : 0;
	} else {
		node = open(argv[2], O_RDWR | O_CLOEXEC);
		if (node < 0)
			fail(argv[2]);
		if (!strcmp(argv[1], "bind"))
			error = bind_to(node, fd) ? errno : 0;
		else
			error = ioctl(node, VFIO_GROUP_SET_CONTAINER, &fd) ? errno : 0;
		if (!error && !strcmp(argv[1], "bind"))
			steal(node);
	}
	figure("operations", 1);
	says("%s", name_of(error));
	return 0;
}
