/*
 * Wear: a user without rights uses up what can be used up of a mount of root's.
 *
 *   wear SYS HOW SECONDS
 *
 * HOW: dirs, files, poll, epoll (descriptors that stay open), lookups (of what is not there), signals (that interrupt),
 * reads (with 1 GiB of room), calls (splice, copies, xattrs, ioctls, locks, paths that are too long).
 *
 * Right: others are served meanwhile, and the daemon keeps nothing of it.
 */
#include "torture.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define MOST_POLLED 900
#define ROOM (64 << 20)
#define VECTORS 16

static const char *sys;
static char attribute[PATH_ROOM];
static unsigned long count;

static int open_attribute(void)
{
	char text[16];
	int fd = open(attribute, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text)) < 0)
		wrong("read: %s", name_of(errno));
	return fd;
}

/* Each returns whether there is more to be had. */
static int dirs(void)
{
	char path[PATH_ROOM];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sys);
	dir = opendir(path);
	while (dir && readdir(dir))
		;
	return dir != NULL;
}

static int files(void)
{
	return open_attribute() >= 0;
}

static int polls(void)
{
	static struct pollfd waits[MOST_POLLED];

	if (count < MOST_POLLED)
		waits[count] = (struct pollfd){ .fd = open_attribute(), .events = POLLPRI };
	poll(waits, count < MOST_POLLED ? count + 1 : MOST_POLLED, 0);
	return 1;
}

static int epolls(void)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int set = epoll_create1(EPOLL_CLOEXEC), fd = open_attribute();

	return set >= 0 && fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int lookups(void)
{
	char path[PATH_ROOM];
	struct stat found;

	snprintf(path, sizeof(path), "%s/nothing-%lu", sys, count);
	if (stat(path, &found) == 0 || errno != ENOENT)
		wrong("look-up of nothing: %s", name_of(errno));
	return 1;
}

static void ignore(int signal)
{
	(void)signal;
}

static int signals(void)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval timer = { { 0, 500 }, { 0, 500 } };
	int fd;

	if (count == 0) {
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &timer, NULL);
	}
	fd = open(attribute, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return 1;
}

static int reads(void)
{
	static struct iovec vectors[VECTORS];
	static int fd = -1;

	if (fd < 0) {
		fd = open_attribute();
		for (int i = 0; i < VECTORS; i++)
			vectors[i] = (struct iovec){ malloc(ROOM), ROOM };
	}
	return preadv(fd, vectors, VECTORS, 0) >= 0;
}

static int calls(void)
{
	static int fd = -1, pipes[2];
	static char name[512], path[4096], drained[65536];
	static void *volatile no_room = (void *)8;
	void *page;

	if (fd < 0) {
		fd = open_attribute();
		if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
			fail("pipe");
	}
	splice(fd, NULL, pipes[1], NULL, PAGE, SPLICE_F_NONBLOCK);
	sendfile(pipes[1], fd, NULL, PAGE);
	if (read(fd, no_room, PAGE) >= 0)
		lseek(fd, 0, SEEK_SET);
	snprintf(name, sizeof(name), "user.%0*d", (int)(count % 300) + 1, 0);
	getxattr(attribute, name, NULL, 0);
	flock(fd, LOCK_SH | LOCK_NB);
	copy_file_range(fd, NULL, fd, NULL, 100, 0);
	ioctl(fd, count * 7919, count);
	fallocate(fd, 0, 0, (off_t)1 << 40);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	while (read(pipes[0], drained, sizeof(drained)) > 0)
		;
	memset(path, '/', sizeof(path) - 1);
	close(open(path, O_RDONLY | O_CLOEXEC));
	return 1;
}

static const struct {
	const char *name;
	int (*once)(void);
} ways[] = {
	{ "dirs", dirs },	{ "files", files },	{ "poll", polls },	{ "epoll", epolls },
	{ "lookups", lookups }, { "signals", signals }, { "reads", reads },	{ "calls", calls },
};

int main(int argc, char **argv)
{
	struct rlimit limit;
	double late;
	size_t way = 0;

	if (argc != 4)
		return 2;
	sys = argv[1];
	late = now() + atof(argv[3]);
	while (way < sizeof(ways) / sizeof(ways[0]) && strcmp(ways[way].name, argv[2]))
		way++;
	if (way == sizeof(ways) / sizeof(ways[0]))
		return 2;
	snprintf(attribute, sizeof(attribute), "%s/%s/available_instances", sys, MTTY);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (says("runs"); now() < late; count++)
		if (!ways[way].once())
			/* All that this user may have. */
			usleep(1000);
	figure("operations", count);
	says("over");
	return 0;
}
