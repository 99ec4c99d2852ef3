/*
 * Churn: a client that makes and removes a device, or lists and looks up, until there is no daemon any more.
 *
 *   churn SYS NUMBER
 *
 * Right: whatever it is in the middle of when the daemon is killed ends, with ENOTCONN or ECONNABORTED.
 */
#include "torture.h"
#include <dirent.h>

#define WRITERS 3

static const char *sys;

static int list(const char *path)
{
	DIR *dir = opendir(path);
	int error = 0;

	if (!dir)
		return errno;
	errno = 0;
	while (readdir(dir))
		errno = 0;
	error = errno;
	closedir(dir);
	return error;
}

static int write_once(int number, uint64_t *dice)
{
	char path[PATH_ROOM], uuid[40];
	int error;

	snprintf(uuid, sizeof(uuid), "7042e000-0000-4000-a000-%012x", number * 100 + (int)(roll(dice) % 3));
	snprintf(path, sizeof(path), "%s/%s/create", sys, MTTY);
	error = put(path, uuid);
	if (is_gone(error))
		return error;
	snprintf(path, sizeof(path), "%s/bus/mdev/devices/%s/remove", sys, uuid);
	return put(path, "1");
}

static int look_once(uint64_t *dice)
{
	int writer = roll(dice) % WRITERS, device = roll(dice) % 3;
	char devices[PATH_ROOM], path[PATH_ROOM + 64];
	struct stat found;
	int error;

	snprintf(devices, sizeof(devices), "%s/bus/mdev/devices", sys);
	snprintf(path, sizeof(path), "%s/7042e000-0000-4000-a000-%012x", devices, writer * 100 + device);
	error = list(devices);
	if (!is_gone(error))
		error = stat(path, &found) ? errno : 0;
	if (!is_gone(error))
		error = list(path);
	return error;
}

int main(int argc, char **argv)
{
	unsigned long operations = 0;
	uint64_t dice;
	int number, error;

	if (argc != 3)
		return 2;
	sys = argv[1];
	number = atoi(argv[2]);
	dice = seed_of(number);
	says("runs");
	do {
		error = number < WRITERS ? write_once(number, &dice) : look_once(&dice);
		operations++;
	} while (!is_gone(error));
	figure("operations", operations);
	says("ended by %s", name_of(error));
	return 0;
}
