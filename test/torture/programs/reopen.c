/*
 * Reopen: a client gets descriptors of a device from its group and closes them, without end; with THREADS at it, and
 * with signals that interrupt it if there are to be any.
 *
 *   reopen SYS DEV UUID TIMES THREADS SIGNALS
 *
 * Right: each is a descriptor, or EINTR. The daemon keeps nothing of those that are closed.
 */
#include "vfio.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#define MOST_THREADS 16

static int group;
static const char *uuid;
static atomic_long left;
static atomic_ulong got, interrupted, longest;

static void ignore(int signal)
{
	(void)signal;
}

static void *loop(void *unused)
{
	unsigned long us, most;
	double since;
	int fd;

	while (left-- > 0) {
		since = now();
		fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, uuid);
		us = (now() - since) * 1e6;
		for (most = longest; us > most && !atomic_compare_exchange_weak(&longest, &most, us);)
			;
		if (fd >= 0) {
			got++;
			close(fd);
		} else if (errno == EINTR)
			interrupted++;
		else
			wrong("VFIO_GROUP_GET_DEVICE_FD: %s", name_of(errno));
	}
	return unused;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval timer = { { 0, 700 }, { 0, 700 } };
	pthread_t threads[MOST_THREADS];
	int count;

	if (argc != 7)
		return 2;
	group = open_group(argv[1], argv[2], argv[3]).group;
	uuid = argv[3];
	left = atol(argv[4]);
	count = atoi(argv[5]);
	if (atoi(argv[6])) {
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &timer, NULL);
	}
	for (int i = 0; i < count && i < MOST_THREADS; i++)
		if (pthread_create(&threads[i], NULL, loop, NULL))
			fail("thread");
	for (int i = 0; i < count && i < MOST_THREADS; i++)
		pthread_join(threads[i], NULL);
	figure("operations", got + interrupted);
	figure("worst_us", longest);
	says("%lu descriptors, %lu times interrupted", (unsigned long)got, (unsigned long)interrupted);
	return 0;
}
