/*
 * What the programs of test/torture have in common. Each prints figures and findings on standard output, a line each:
 *
 *   figure NAME NUMBER     something counted or measured, such as `figure operations 100`
 *   wrong SENTENCE         something that a kernel would not have done
 *   says WORDS             how far it is, or what a call returned; the scenario waits for it or compares it
 *
 * A program that cannot begin says why on standard error and ends with 2.
 */
#ifndef TORTURE_H
#define TORTURE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define PATH_ROOM 1024
#define PAGE 4096

/* Types that every program makes devices of: those of fixtures/default.json. */
#define MTTY "class/mdev_bus/mtty/mdev_supported_types/mtty-1"
#define VGPU "class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222"

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

__attribute__((format(printf, 1, 2))) static inline void line(const char *format, ...)
{
	char text[PATH_ROOM];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	if (length > (int)sizeof(text) - 2)
		length = sizeof(text) - 2;
	text[length++] = '\n';
	/* In one write, so that lines of several processes do not mix. */
	if (write(STDOUT_FILENO, text, length) != length)
		exit(2);
}

#define figure(name, value) line("figure %s %lu", (name), (unsigned long)(value))
#define wrong(...) line("wrong " __VA_ARGS__)
#define says(...) line("says " __VA_ARGS__)

/* The name of an errno, or `ok`. */
static inline const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "ok";
}

/* One write to a file, as echo makes it. Returns an errno, or 0. */
static inline int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;

	if (fd < 0)
		return errno;
	error = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* One read of a file into a text. Returns an errno, or 0. */
static inline int get(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	ssize_t length;

	if (fd < 0)
		return errno;
	length = read(fd, text, room - 1);
	if (length < 0)
		error = errno;
	text[length < 0 ? 0 : length] = '\0';
	close(fd);
	return error;
}

/* The errno of a daemon that is not there any more. */
static inline int is_gone(int error)
{
	return error == ENOTCONN || error == ECONNABORTED || error == EIO;
}

/* Numbers that are the same in every run (xorshift). */
static inline uint64_t roll(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t seed_of(unsigned long number)
{
	return number * 2654435761u + 88172645463325252ull;
}

#endif
