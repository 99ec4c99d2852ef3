/*
 * Load: clients that create, remove, unbind, look up, list, read and wait, all at the same devices, and are killed and
 * stopped at any moment.
 *
 *   load SYS DAEMON SECONDS CLIENTS KILLS_PER_SECOND SEED
 *
 * Right: what a client sees is never older than the last change that was acknowledged before it looked. Each device has
 * a slot in shared memory with the state that it was last changed to, and a sequence number that is odd while somebody
 * changes it. A client that finds the same even number before and after it looked must have seen that state; anything
 * else is stale. A client that is killed leaves its slot unknown, and whoever comes next makes the device gone.
 *
 * Of the longest wait it says how long the client and the threads of the daemon stood in the queue of a processor
 * meanwhile (/proc/PID/schedstat): that part is the scheduler's.
 */
#include "torture.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define SLOTS 20
#define MOST_CLIENTS 64
#define MOST_THREADS 24
/* Of those who are stopped a moment instead of killed. */
#define STOPS 8
#define LONGEST_END 5

enum state { GONE, BOUND, UNBOUND, UNKNOWN };
enum operation { CREATE, REMOVE, BIND, UNBIND, STAT, LIST, READ, LINK, POLL, TYPE_LIST, OPERATIONS };
static const char *const names[] = { "create", "remove",   "bind",     "unbind", "stat",
				     "list",   "read uevent", "readlink", "poll",   "list of a type" };

struct slot {
	atomic_uint sequence;
	atomic_int owner, state;
};

struct longest {
	atomic_ulong us;
	unsigned long client, thread, notifier;
	int operation;
};

static struct shared {
	struct slot slots[SLOTS];
	atomic_ulong count[OPERATIONS], over[4], stale;
	struct longest longest;
	/* How often each client was stopped and continued; who is stopped waits for that. */
	atomic_uint stops[MOST_CLIENTS];
	atomic_int stop;
} *shared;

static const char *sys;
static uint64_t dice;
/* schedstat of this process, of the daemon's first thread, and of its others. */
static int queues[MOST_THREADS + 1], queue_count;
static unsigned long before[MOST_THREADS + 1];
/* Of this client: its place among them, and how often it was stopped before the call. */
static unsigned place, stops;

static unsigned below(unsigned n)
{
	return roll(&dice) % n;
}

/* Nanoseconds that a thread has stood in the queue of a processor. */
static unsigned long queued(int fd)
{
	unsigned long ran, waited = 0;
	char text[100];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[length] = '\0';
	return sscanf(text, "%lu %lu", &ran, &waited) == 2 ? waited : 0;
}

static void watch_queues(const char *daemon)
{
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *tasks;

	queue_count = 0;
	queues[queue_count++] = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%s/task", daemon);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)) && queue_count <= MOST_THREADS) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", daemon, entry->d_name);
		queues[queue_count++] = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (tasks)
		closedir(tasks);
}

static double begin(void)
{
	for (int i = 0; i < queue_count; i++)
		before[i] = queued(queues[i]);
	stops = shared->stops[place];
	return now();
}

static void end(enum operation operation, double since)
{
	unsigned long us = (now() - since) * 1e6, most = shared->longest.us, other = 0, each;

	shared->count[operation]++;
	if (shared->stops[place] != stops)
		return;
	if (us >= 100000)
		shared->over[us >= 1000000 ? 3 : us >= 500000 ? 2 : us >= 250000 ? 1 : 0]++;
	while (us > most)
		if (atomic_compare_exchange_weak(&shared->longest.us, &most, us)) {
			for (int i = 2; i < queue_count; i++)
				if ((each = queued(queues[i]) - before[i]) > other)
					other = each;
			shared->longest.operation = operation;
			shared->longest.client = (queued(queues[0]) - before[0]) / 1000;
			shared->longest.thread = (queued(queues[1]) - before[1]) / 1000;
			shared->longest.notifier = other / 1000;
		}
}

static void stale(const char *what, int slot, int state, int found)
{
	if (shared->stale++ < 5)
		wrong("stale: %s of device %d, which is %s, found %d", what, slot,
		      (const char *[]){ "gone", "bound", "unbound" }[state], found);
}

static void unexpected(const char *what, int slot, int error)
{
	wrong("%s of device %d: %s", what, slot, name_of(error));
}

static const char *type_of(int slot)
{
	return slot % 2 ? VGPU : MTTY;
}

static void uuid_of(int slot, char *uuid)
{
	sprintf(uuid, "7042e000-0000-4000-8000-%012x", slot);
}

static const char *path_of(int slot, const char *below_it)
{
	static char path[PATH_ROOM];
	char uuid[40];

	uuid_of(slot, uuid);
	snprintf(path, sizeof(path), "%s/bus/mdev/devices/%s%s", sys, uuid, below_it);
	return path;
}

/* What a client that was killed may have left. */
static void make_gone(int slot)
{
	struct stat found;

	for (int tries = 0; tries < 500 && lstat(path_of(slot, ""), &found) == 0; tries++) {
		put(path_of(slot, "/remove"), "1");
		usleep(10000);
	}
}

static int change_bound(int slot, int state)
{
	char path[PATH_ROOM], uuid[40];
	int operation, error, becomes;
	double since;

	uuid_of(slot, uuid);
	if (below(3) == 0) {
		operation = REMOVE;
		becomes = GONE;
		since = begin();
		error = put(path_of(slot, "/remove"), "1");
	} else if (state == BOUND) {
		operation = UNBIND;
		becomes = UNBOUND;
		since = begin();
		error = put(path_of(slot, "/driver/unbind"), uuid);
	} else {
		/* No driver matches a mediated device that is not being made. */
		operation = BIND;
		becomes = UNBOUND;
		snprintf(path, sizeof(path), "%s/bus/mdev/drivers/%s/bind", sys, slot % 2 ? "nvidia-vgpu-vfio" : "mtty");
		since = begin();
		error = put(path, uuid) == ENODEV ? 0 : EINVAL;
	}
	end(operation, since);
	if (!error)
		return becomes;
	unexpected(names[operation], slot, error);
	return state;
}

static int create(int slot)
{
	char path[PATH_ROOM], uuid[40];
	double since;
	int error;

	uuid_of(slot, uuid);
	snprintf(path, sizeof(path), "%s/%s/create", sys, type_of(slot));
	since = begin();
	error = put(path, uuid);
	end(CREATE, since);
	if (!error)
		return BOUND;
	/* There can be only so many of a type. */
	if (error != ENOSPC && error != EUSERS)
		unexpected("create", slot, error);
	return GONE;
}

static void change(int number, int me)
{
	struct slot *slot = &shared->slots[number];
	unsigned sequence;
	int state, nobody = 0;

	if (!atomic_compare_exchange_strong(&slot->owner, &nobody, me))
		return;
	sequence = slot->sequence | 1;
	slot->sequence = sequence;
	state = slot->state;
	slot->state = UNKNOWN;
	if (state == UNKNOWN) {
		make_gone(number);
		state = GONE;
	} else
		state = state == GONE ? create(number) : change_bound(number, state);
	slot->state = state;
	slot->sequence = sequence + 1;
	slot->owner = 0;
}

/* How often a directory lists a device. -1 when it cannot be opened. */
static int listed(const char *path, int slot)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char uuid[40];
	int found = 0;

	if (!dir)
		return -1;
	uuid_of(slot, uuid);
	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, uuid);
	closedir(dir);
	return found;
}

static void wait_for_news(int slot)
{
	char path[PATH_ROOM], text[100];
	struct pollfd waits = { .events = POLLPRI };

	snprintf(path, sizeof(path), "%s/%s/available_instances", sys, type_of(slot));
	waits.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (waits.fd < 0 || read(waits.fd, text, sizeof(text)) <= 0)
		unexpected("read of available_instances", slot, errno);
	poll(&waits, 1, below(3));
	close(waits.fd);
}

static void look(int number)
{
	static const enum operation looks[] = { STAT, LIST, READ, LINK, POLL, TYPE_LIST };
	struct slot *slot = &shared->slots[number];
	enum operation operation = looks[below(6)];
	unsigned sequence = slot->sequence;
	int state = slot->state, found = 0, expected = state != GONE;
	char path[PATH_ROOM], text[PAGE];
	struct stat stat_found;
	double since = begin();

	switch (operation) {
	case STAT:
		found = lstat(path_of(number, ""), &stat_found) == 0;
		break;
	case LIST:
		snprintf(path, sizeof(path), "%s/bus/mdev/devices", sys);
		found = listed(path, number);
		break;
	case READ:
		expected = state == BOUND;
		found = get(path_of(number, "/uevent"), text, sizeof(text)) == 0 && strstr(text, "DRIVER=");
		break;
	case LINK:
		expected = state == BOUND;
		found = readlink(path_of(number, "/driver"), text, sizeof(text)) > 0;
		break;
	case POLL:
		expected = 0;
		wait_for_news(number);
		break;
	default:
		snprintf(path, sizeof(path), "%s/%s/devices", sys, type_of(number));
		found = listed(path, number);
	}
	end(operation, since);
	if (!(sequence & 1) && slot->sequence == sequence && found != expected)
		stale(names[operation], number, state, found);
}

static pid_t client(int me, unsigned where, const char *daemon, unsigned long seed)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	dice = seed_of(seed + me);
	place = where;
	watch_queues(daemon);
	while (!shared->stop && getppid() == parent) {
		if (below(6) == 0)
			change(below(SLOTS), me);
		else
			look(below(SLOTS));
	}
	exit(0);
}

/* Whether it ended in time; if not, it is killed. */
static int buried(pid_t child, double seconds)
{
	for (double late = now() + seconds; now() < late; usleep(2000))
		if (waitpid(child, NULL, WNOHANG) != 0)
			return 1;
	kill(child, SIGKILL);
	return 0;
}

int main(int argc, char **argv)
{
	int clients = argc == 7 ? atoi(argv[4]) : 0, daemon, ids[MOST_CLIENTS], next = 1, which;
	unsigned long kills = 0, hung = 0, operations = 0, seed;
	double seconds, pause, start, killed;
	pid_t pids[MOST_CLIENTS];

	if (clients < 1 || clients > MOST_CLIENTS) {
		fprintf(stderr, "usage: load SYS DAEMON SECONDS CLIENTS KILLS_PER_SECOND SEED\n");
		return 2;
	}
	sys = argv[1];
	daemon = atoi(argv[2]);
	seconds = atof(argv[3]);
	pause = 1 / atof(argv[5]);
	seed = atol(argv[6]) * 100000;
	dice = seed_of(seed);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < clients; i++)
		pids[i] = client(ids[i] = next++, i, argv[2], seed);
	for (start = killed = now(); now() < start + seconds && kill(daemon, 0) == 0; usleep(20000))
		for (; now() > killed + pause; killed += pause) {
			which = below(clients);
			if (below(STOPS) == 0) {
				shared->stops[which]++;
				kill(pids[which], SIGSTOP);
				usleep(below(50000));
				kill(pids[which], SIGCONT);
				shared->stops[which]++;
				continue;
			}
			kill(pids[which], SIGKILL);
			kills++;
			hung += !buried(pids[which], LONGEST_END);
			for (int i = 0; i < SLOTS; i++)
				if (shared->slots[i].owner == ids[which]) {
					shared->slots[i].sequence |= 1;
					shared->slots[i].state = UNKNOWN;
					shared->slots[i].owner = 0;
				}
			pids[which] = client(ids[which] = next++, which, argv[2], seed);
		}
	if (kill(daemon, 0) != 0)
		wrong("the daemon has ended");
	shared->stop = 1;
	for (int i = 0; i < clients; i++)
		hung += !buried(pids[i], LONGEST_END);
	for (int i = 0; i < SLOTS; i++)
		make_gone(i);
	for (int i = 0; i < OPERATIONS; i++)
		operations += shared->count[i];
	figure("operations", operations);
	figure("kills", kills);
	figure("stale", shared->stale);
	figure("hung", hung);
	figure("worst_us", shared->longest.us);
	says("longest wait: %s, %lu ms, of which in the queue of a processor: client %lu ms, daemon %lu ms, one of its other threads %lu ms; waits over 0.1 s %lu, 0.25 s %lu, 0.5 s %lu, 1 s %lu",
	     names[shared->longest.operation], shared->longest.us / 1000, shared->longest.client / 1000,
	     shared->longest.thread / 1000, shared->longest.notifier / 1000, shared->over[0], shared->over[1],
	     shared->over[2], shared->over[3]);
	return 0;
}
