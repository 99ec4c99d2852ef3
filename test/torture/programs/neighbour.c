/*
 * Neighbour: a client that does nothing wrong, next to one that does.
 *
 *   neighbour SYS ROUNDS NUMBER
 *
 * Right: each round ends: a read, a create, a listing, a look-up, a removal and a look-up of what is not there any more.
 * NUMBER tells its device from those of other neighbours.
 */
#include "torture.h"
#include <dirent.h>

static double longest, since;
static unsigned long operations;

static void done(const char *what, int good)
{
	double waited = now() - since;

	operations++;
	if (waited > longest)
		longest = waited;
	if (!good)
		wrong("%s of a neighbour: %s", what, name_of(errno));
	since = now();
}

static int lists(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int found = 0;

	while (dir && (entry = readdir(dir)))
		found += !strcmp(entry->d_name, name);
	if (dir)
		closedir(dir);
	return found;
}

int main(int argc, char **argv)
{
	char uuid[40], create[PATH_ROOM], available[PATH_ROOM], devices[PATH_ROOM], device[PATH_ROOM + 64];
	char remove[PATH_ROOM + 80], text[100];
	struct stat found;
	int rounds;

	if (argc != 4) {
		fprintf(stderr, "usage: neighbour SYS ROUNDS NUMBER\n");
		return 2;
	}
	rounds = atoi(argv[2]);
	snprintf(uuid, sizeof(uuid), "7042e000-0000-4000-b000-%012x", atoi(argv[3]));
	snprintf(create, sizeof(create), "%s/%s/create", argv[1], MTTY);
	snprintf(available, sizeof(available), "%s/%s/available_instances", argv[1], MTTY);
	snprintf(devices, sizeof(devices), "%s/bus/mdev/devices", argv[1]);
	snprintf(device, sizeof(device), "%s/%s", devices, uuid);
	snprintf(remove, sizeof(remove), "%s/remove", device);
	since = now();
	for (int i = 0; i < rounds; i++) {
		done("read", (errno = get(available, text, sizeof(text))) == 0);
		done("create", (errno = put(create, uuid)) == 0);
		done("listing", lists(devices, uuid) == 1);
		done("look-up", lstat(device, &found) == 0);
		done("removal", (errno = put(remove, "1")) == 0);
		done("look-up", lstat(device, &found) < 0 && errno == ENOENT);
	}
	figure("operations", operations);
	figure("worst_us", longest * 1e6);
	return 0;
}
