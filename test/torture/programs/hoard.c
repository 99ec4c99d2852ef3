/*
 * Hoard: a client has the daemon hold as much as it will, and keeps it.
 *
 *   hoard HOW SYS DEV MOST
 *
 * HOW: ioases (address spaces of an iommufd), iommufds, mappings (of one page at ever more IOVAs), files (open
 * attributes), uevents (a file of events that nobody reads, while there are ever more), rules (of fault injection).
 *
 * Right: there is an end to it, either MOST or an errno, others are served, and the daemon stays small.
 */
#include "vfio.h"
#include <sys/resource.h>

static const char *sys, *dev;

/* Each returns an errno, or 0 when there may be more. */
static int ioases(unsigned long count)
{
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	static int iommufd;

	if (count == 0)
		iommufd = open_in(dev, "iommu");
	return ioctl(iommufd, IOAS_ALLOC, &alloc) ? errno : 0;
}

static int iommufds(unsigned long count)
{
	char path[PATH_ROOM];
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	int fd;

	(void)count;
	snprintf(path, sizeof(path), "%s/iommu", dev);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	return ioctl(fd, IOAS_ALLOC, &alloc) ? errno : 0;
}

static int mappings(unsigned long count)
{
	static int iommufd;
	static uint32_t ioas;
	static void *page;

	if (count == 0) {
		iommufd = open_in(dev, "iommu");
		ioas = new_ioas(iommufd);
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	/* With room in between, so that none is merged with the next. */
	return map_in(iommufd, ioas, page, PAGE, (count + 1) * 2 * PAGE) ? errno : 0;
}

static int files(unsigned long count)
{
	char path[PATH_ROOM], text[16];
	int fd;

	(void)count;
	snprintf(path, sizeof(path), "%s/%s/available_instances", sys, MTTY);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, text, sizeof(text)) < 0 ? errno : 0;
}

static int uevents(unsigned long count)
{
	char path[PATH_ROOM];

	if (count == 0) {
		snprintf(path, sizeof(path), "%s/kernel/debug/mdevfs/uevents", sys);
		if (open(path, O_RDONLY | O_CLOEXEC) < 0)
			fail(path);
	}
	snprintf(path, sizeof(path), "%s/class/mdev_bus/mtty/uevent", sys);
	return put(path, "change");
}

static int rules(unsigned long count)
{
	char path[PATH_ROOM], rule[100];

	snprintf(path, sizeof(path), "%s/kernel/debug/mdevfs/fail", sys);
	snprintf(rule, sizeof(rule), "op=read path=nothing-%lu errno=EPERM times=1", count);
	return put(path, rule);
}

static const struct {
	const char *name;
	int (*once)(unsigned long count);
} ways[] = {
	{ "ioases", ioases },	  { "iommufds", iommufds }, { "mappings", mappings },
	{ "files", files },	  { "uevents", uevents },	    { "rules", rules },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

int main(int argc, char **argv)
{
	unsigned long count = 0, most;
	struct rlimit limit;
	int error = 0;
	size_t way = 0;

	if (argc != 5)
		return 2;
	while (way < WAYS && strcmp(ways[way].name, argv[1]))
		way++;
	if (way == WAYS)
		return 2;
	sys = argv[2];
	dev = argv[3];
	most = atol(argv[4]);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (count < most && !(error = ways[way].once(count)))
		count++;
	figure("operations", count);
	says("holds %lu, %s", count, error ? name_of(error) : "as many as wanted");
	pause();
	return 0;
}
