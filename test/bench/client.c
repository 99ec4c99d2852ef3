/*
 * The benchmark's client: makes system calls on a tree and says how long they took. It works in the tree's root, so
 * that paths of the same depth cost the same whatever the tree is mounted on. client.ts is the same in Node, for
 * machines without a C compiler.
 *
 *   client ROOT read MS FILE       open, read, close
 *   client ROOT cat MS FILE        open, fstat, read, read the end, close, as cat(1) does
 *   client ROOT stat MS FILE
 *   client ROOT readlink MS LINK
 *   client ROOT readdir MS DIR     open, read all entries, close
 *   client ROOT create FILE FIRST COUNT           one open, write, close for each UUID
 *   client ROOT remove PREFIX SUFFIX FIRST COUNT  the same with "1" to PREFIX/UUID/SUFFIX
 *   client ROOT run MS COMMAND [ARG...]           runs of a program, output to /dev/null
 *
 * Those with MS go on for so many milliseconds; all but `run` after a first time that does not count. The clock is read once in
 * CHUNK times, since it is not much cheaper than a stat. One line of JSON: how often it was measured and how often
 * done, nanoseconds for one on average and in the median.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 20

static double *times;
static size_t taken, room;

static void fail(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void keep(double ns)
{
	if (taken == room) {
		room = room ? room * 2 : 4096;
		times = realloc(times, room * sizeof(*times));
		if (!times)
			fail("memory");
	}
	times[taken++] = ns;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void say(size_t count, size_t done)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < taken; i++)
		sum += times[i];
	qsort(times, taken, sizeof(*times), by_size);
	printf("{\"count\":%zu,\"done\":%zu,\"mean\":%.0f,\"p50\":%.0f}\n", count, done,
	       taken ? sum / taken : 0, taken ? times[taken / 2] : 0);
}

static char buffer[131072];

static void op_read(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, buffer, sizeof(buffer)) < 0)
		fail(path);
	close(fd);
}

static void op_cat(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		fail(path);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		;
	if (n < 0)
		fail(path);
	close(fd);
}

static void op_stat(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail(path);
}

static void op_readlink(const char *path)
{
	if (readlink(path, buffer, sizeof(buffer)) < 0)
		fail(path);
}

static void op_readdir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	long n;

	if (fd < 0)
		fail(path);
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0)
		;
	if (n < 0)
		fail(path);
	close(fd);
}

static const struct {
	const char *name;
	void (*once)(const char *path);
} repeated[] = {
	{ "read", op_read },
	{ "cat", op_cat },
	{ "stat", op_stat },
	{ "readlink", op_readlink },
	{ "readdir", op_readdir },
};

static void repeat(void (*once)(const char *), double ms, const char *path)
{
	size_t count = 0;
	double start, end, at;
	int i;

	once(path);
	start = at = now();
	end = start + ms * 1e6;
	do {
		for (i = 0; i < CHUNK; i++)
			once(path);
		count += CHUNK;
		start = at;
		at = now();
		keep((at - start) / CHUNK);
	} while (at < end);
	say(count, count + 1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

static void uuid_of(char *uuid, size_t size, unsigned number)
{
	snprintf(uuid, size, "%08x-0000-4000-8000-000000000000", number);
}

static void create(const char *file, unsigned first, unsigned count)
{
	char uuid[64];
	unsigned i;
	double at;

	for (i = 0; i < count; i++) {
		uuid_of(uuid, sizeof(uuid), first + i);
		strcat(uuid, "\n");
		at = now();
		put(file, uuid);
		keep(now() - at);
	}
	say(count, count);
}

static void remove_all(const char *prefix, const char *suffix, unsigned first, unsigned count)
{
	char uuid[64], path[4096];
	unsigned i;
	double at;

	for (i = 0; i < count; i++) {
		uuid_of(uuid, sizeof(uuid), first + i);
		snprintf(path, sizeof(path), "%s/%s/%s", prefix, uuid, suffix);
		at = now();
		put(path, "1\n");
		keep(now() - at);
	}
	say(count, count);
}

static void run_once(char **argv)
{
	double at = now();
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail(argv[0]);
	keep(now() - at);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "client: %s failed\n", argv[0]);
		exit(1);
	}
}

static void run(double ms, char **argv)
{
	double end = now() + ms * 1e6;

	do
		run_once(argv);
	while (now() < end);
	say(taken, taken);
}

int main(int argc, char **argv)
{
	const char *op = argc > 3 ? argv[2] : "";
	size_t i;

	if (argc > 3 && chdir(argv[1]))
		fail(argv[1]);
	for (i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
		if (!strcmp(op, repeated[i].name) && argc == 5) {
			repeat(repeated[i].once, atof(argv[3]), argv[4]);
			return 0;
		}
	if (!strcmp(op, "create") && argc == 6)
		create(argv[3], strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
	else if (!strcmp(op, "remove") && argc == 7)
		remove_all(argv[3], argv[4], strtoul(argv[5], NULL, 0), strtoul(argv[6], NULL, 0));
	else if (!strcmp(op, "run") && argc > 4)
		run(atof(argv[3]), argv + 4);
	else {
		fprintf(stderr, "usage: client ROOT OPERATION ARGUMENT...\n");
		return 2;
	}
	return 0;
}
