/*
 * A process that makes calls for somebody else: any function of the C library, with whole numbers and addresses as
 * arguments. caller.ts is the other side.
 *
 *   caller DIR
 *
 * Both talk over two FIFOs, DIR/N.request and DIR/N.answer; the first process has N = 0. It begins with a greeting. A
 * request puts bytes at the beginning of the arena and calls a function; the answer has the result, errno, and as many
 * bytes of the arena as were asked for. The process ends when nobody writes requests any more.
 *
 * start_child() forks: the child has the next two FIFOs, and the files and memory of its parent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA (1 << 20)
/* Where no recorded number of a descriptor is. */
#define CONTROL 800

struct greeting {
	uint64_t arena, dlsym, start_child;
};

struct request {
	uint32_t in, out;
	uint64_t function, args[6];
};

struct answer {
	int64_t result;
	uint32_t error, out;
};

static const char *directory;
static char *arena;
static int requests = -1, answers = -1;

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

/* The whole of it; what is cut off is the end. */
static void take(void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t got = read(requests, (char *)bytes + done, length - done);
		if (got <= 0)
			_exit(got < 0);
		done += got;
	}
}

static void give(const void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t put = write(answers, (const char *)bytes + done, length - done);
		if (put < 0)
			_exit(1);
		done += put;
	}
}

static int control(long number, const char *what, int flags)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%ld.%s", directory, number, what);
	int fd = open(path, flags);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, CONTROL);
	if (fd < 0 || high < 0)
		fail(path);
	close(fd);
	return high;
}

static long start_child(long number);

static void serve(long number)
{
	requests = control(number, "request", O_RDONLY);
	answers = control(number, "answer", O_WRONLY);
	struct greeting greeting = {(uintptr_t)arena, (uintptr_t)dlsym, (uintptr_t)start_child};
	give(&greeting, sizeof(greeting));
	for (;;) {
		struct request asked;
		take(&asked, sizeof(asked));
		take(arena, asked.in);
		long (*function)(long, long, long, long, long, long) = (void *)(uintptr_t)asked.function;
		uint64_t *args = asked.args;
		errno = 0;
		long result = function(args[0], args[1], args[2], args[3], args[4], args[5]);
		struct answer answer = {result, errno, asked.out};
		give(&answer, sizeof(answer));
		give(arena, asked.out);
	}
}

static long start_child(long number)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	close(requests);
	close(answers);
	serve(number);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	/* Addresses that the recorder mapped are not to be in use here, so nothing is where chance has it. */
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
		personality(ADDR_NO_RANDOMIZE);
		execv("/proc/self/exe", argv);
	}
	directory = argv[1];
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		fail("arena");
	serve(0);
}
