/*
 * Gone memory: a vGPU gets at memory that was mapped for it and then unmapped, protected, truncated, or whose process has
 * ended or begun another program.
 *
 *   gone-memory SYS DEV UUID FOLDER
 *
 * Right: what is there is read and written, what is not is EFAULT, what was another process's is EPERM; a file that may
 * only be read stays as it is. Each answer is compared.
 */
#include "vfio.h"
#include <sys/wait.h>

/* /sys/module/vfio_iommu_type1/parameters/dma_entry_limit */
#define ENTRY_LIMIT 65535
#define UNMAP_ALL VFIO_DMA_UNMAP_FLAG_ALL

static int container, device;
static unsigned long operations;

/* @right names of errnos, any of which is */
static void check(const char *what, int error, const char *right)
{
	const char *name = name_of(error), *at = strstr(right, name);

	operations++;
	if (!at || (at[strlen(name)] && at[strlen(name)] != ' '))
		wrong("%s: %s, not %s", what, name, right);
}

static int map(void *address, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map request = { .argsz = sizeof(request), .flags = flags, .iova = iova, .size = size,
						    .vaddr = (uintptr_t)address };

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &request) ? errno : 0;
}

static int unmap(uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap request = { .argsz = sizeof(request), .flags = flags, .iova = iova,
						      .size = size };

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &request) ? errno : 0;
}

#define BOTH (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static int load(uint64_t iova, uint32_t length)
{
	return command(device, LOAD, iova, 0, length);
}

static int store(uint64_t iova, uint32_t length)
{
	return command(device, STORE, 0, iova, length);
}

static void *pages(int count, int protection, int flags, int fd)
{
	void *found = mmap(NULL, (size_t)count * PAGE, protection, flags, fd, 0);

	if (found == MAP_FAILED)
		fail("mmap");
	return found;
}

static void *anonymous(int count, int protection)
{
	return pages(count, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void ranges(void)
{
	char *memory = anonymous(16, PROT_READ | PROT_WRITE);

	check("map", map(memory, 0, 16 * PAGE, BOTH), "ok");
	check("load", load(0, PAGE), "ok");
	check("map over it", map(memory, PAGE, PAGE, BOTH), "EEXIST");
	check("map of no bytes", map(memory, 1 << 30, 0, BOTH), "EINVAL");
	check("map past the end of IOVAs", map(memory, -PAGE, 2 * PAGE, BOTH), "EINVAL ENOMEM");
	check("map past the end of addresses", map((void *)-(uintptr_t)PAGE, 1 << 30, 2 * PAGE, BOTH),
	      "EINVAL EFAULT ENOMEM");
	munmap(memory, 16 * PAGE);
	check("load of what is unmapped", load(0, PAGE), "EFAULT");
	check("store to what is unmapped", store(0, PAGE), "EFAULT");
	check("unmap", unmap(0, 16 * PAGE, 0), "ok");
}

static void protections(void)
{
	char *memory = anonymous(2, PROT_READ | PROT_WRITE);

	check("map", map(memory, 0, 2 * PAGE, BOTH), "ok");
	mprotect(memory, 2 * PAGE, PROT_NONE);
	/* Pages that are pinned stay what they are; nothing is pinned here. */
	check("load of what is protected", load(0, PAGE), "ok EFAULT");
	check("pin of what is protected", command(device, PIN, 0, 0, PAGE), "ok EFAULT EACCES");
	check("unmap", unmap(0, 2 * PAGE, 0), "ok");
	memory = anonymous(1, PROT_READ | PROT_WRITE);
	check("map for reading", map(memory, 0, PAGE, VFIO_DMA_MAP_FLAG_READ), "ok");
	check("store to what is mapped for reading", store(0, PAGE), "EPERM EFAULT EACCES");
	check("unmap", unmap(0, PAGE, 0), "ok");
}

static void truncated(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *memory;

	if (fd < 0 || ftruncate(fd, 16 * PAGE))
		fail(path);
	memory = pages(16, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	check("map of a file", map(memory, 0, 16 * PAGE, BOTH), "ok");
	check("load of a file", load(0, 16 * PAGE), "ok");
	if (ftruncate(fd, PAGE))
		fail(path);
	check("load past the end of a file", load(0, 16 * PAGE), "EFAULT");
	check("store past the end of a file", store(2 * PAGE, PAGE), "EFAULT");
	check("unmap", unmap(0, 16 * PAGE, 0), "ok");
	close(fd);
}

static void read_only_file(const char *path)
{
	char text[10] = "", *memory;
	int fd;

	truncate(path, 0);
	if (put(path, "read-only") || truncate(path, PAGE))
		fail(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	memory = pages(1, PROT_READ, MAP_SHARED, fd);
	if (map(memory, 0, PAGE, BOTH) == 0) {
		store(0, PAGE);
		unmap(0, PAGE, 0);
	}
	if (pread(fd, text, 9, 0) != 9 || strcmp(text, "read-only"))
		wrong("a file that may only be read was written to: %s", text);
	operations++;
	close(fd);
}

static void limits(void)
{
	char *memory = anonymous(1, PROT_READ | PROT_WRITE);
	unsigned long count = 0;
	int error;

	while ((error = map(memory, count * PAGE, PAGE, BOTH)) == 0 && count < 2 * ENTRY_LIMIT)
		count++;
	operations += count;
	check("map of one too many", error, "ENOSPC");
	if (count != ENTRY_LIMIT)
		wrong("%lu mappings, not %d", count, ENTRY_LIMIT);
	check("unmap of all", unmap(0, 0, UNMAP_ALL), "ok");
}

static void ended_process(void)
{
	char *memory;
	pid_t child = fork();

	if (child == 0) {
		memory = anonymous(1, PROT_READ | PROT_WRITE);
		_exit(map(memory, 0x700000, PAGE, BOTH) || load(0x700000, 16));
	}
	waitpid(child, NULL, 0);
	check("load of memory of a process that has ended", load(0x700000, 16), "EPERM EFAULT");
}

static void after_exec(void)
{
	char *memory = anonymous(1, PROT_READ | PROT_WRITE);

	check("map after exec", map(memory, 0x900000, PAGE, BOTH), "ok");
	check("load after exec", load(0x900000, PAGE), "ok");
	check("load of what was mapped before exec", load(0x800000, 16), "EPERM EFAULT");
}

int main(int argc, char **argv)
{
	char first[20], second[20], done[20], file[PATH_ROOM];
	struct container opened;
	char *memory;

	if (argc == 8) {
		container = atoi(argv[5]);
		device = atoi(argv[6]);
		operations = atol(argv[7]);
		after_exec();
		figure("operations", operations);
		return 0;
	}
	if (argc != 5)
		return 2;
	opened = open_group(argv[1], argv[2], argv[3]);
	container = opened.container;
	device = ioctl(opened.group, VFIO_GROUP_GET_DEVICE_FD, argv[3]);
	if (device < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD");
	snprintf(file, sizeof(file), "%s/gone-memory.file", argv[4]);
	ranges();
	protections();
	truncated(file);
	read_only_file(file);
	limits();
	ended_process();
	memory = anonymous(1, PROT_READ | PROT_WRITE);
	check("map before exec", map(memory, 0x800000, PAGE, BOTH), "ok");
	/* The descriptors stay, the memory does not. */
	fcntl(container, F_SETFD, 0);
	fcntl(device, F_SETFD, 0);
	snprintf(first, sizeof(first), "%d", container);
	snprintf(second, sizeof(second), "%d", device);
	snprintf(done, sizeof(done), "%lu", operations);
	execl("/proc/self/exe", argv[0], argv[1], argv[2], argv[3], argv[4], first, second, done, NULL);
	fail("exec");
}
