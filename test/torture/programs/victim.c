/*
 * Victim: root's process with an iommufd, memory mapped in it, and, where groups can be used, a container.
 *
 *   victim DEV [SYS UUID]
 *
 * Right: nobody else gets at its memory. It tells the inode numbers of its files, which a client may give to a file of
 * its own, and on SIGTERM whether the memory is what it was.
 */
#include "vfio.h"
#include <signal.h>

#define TEXT "root's own"
#define IOVA 0x10000

static volatile sig_atomic_t over;

static void end(int signal)
{
	over = signal;
}

static void tell(const char *what, int fd)
{
	struct stat found;

	if (fstat(fd, &found))
		fail("fstat");
	says("%s %lu", what, (unsigned long)found.st_ino);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	struct container opened;
	char *memory, good[PAGE] = TEXT;
	int iommufd;

	if (argc < 2)
		return 2;
	sigaction(SIGTERM, &action, NULL);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(memory, TEXT);
	iommufd = open_in(argv[1], "iommu");
	if (map_in(iommufd, new_ioas(iommufd), memory, PAGE, IOVA))
		fail("IOMMU_IOAS_MAP");
	tell("iommufd", iommufd);
	if (argc == 4) {
		opened = open_group(argv[2], argv[1], argv[3]);
		tell("container", opened.container);
		tell("group", opened.group);
	}
	says("ready");
	while (!over)
		usleep(20000);
	if (memcmp(memory, good, PAGE))
		wrong("the memory of root was written to: %.20s", memory);
	return 0;
}
