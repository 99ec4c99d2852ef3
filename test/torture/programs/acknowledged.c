/*
 * Acknowledged: a client that changes devices and says of each change before it what it is about to do, and after it what
 * was acknowledged; until there is no daemon any more.
 *
 *   acknowledged SYS SEED SLOT=STATE...
 *
 * STATE is gone, bound or unbound. It says `try SLOT STATE` and `done SLOT STATE`, in lines that are written before the
 * call begins and when it has returned.
 *
 * Right: what was acknowledged is there when the daemon comes back, and what was tried may be.
 */
#include "torture.h"

#define MOST 64

enum state { GONE, BOUND, UNBOUND };
static const char *const names[] = { "gone", "bound", "unbound" };

static const char *sys;
static uint64_t dice;

static int change(int slot, enum state to)
{
	char path[PATH_ROOM], uuid[40];

	snprintf(uuid, sizeof(uuid), "7042e000-0000-4000-9000-%012x", slot);
	switch (to) {
	case BOUND:
		snprintf(path, sizeof(path), "%s/%s/create", sys, slot % 2 ? VGPU : MTTY);
		return put(path, uuid);
	case UNBOUND:
		snprintf(path, sizeof(path), "%s/bus/mdev/devices/%s/driver/unbind", sys, uuid);
		return put(path, uuid);
	default:
		snprintf(path, sizeof(path), "%s/bus/mdev/devices/%s/remove", sys, uuid);
		return put(path, "1");
	}
}

int main(int argc, char **argv)
{
	enum state states[MOST] = { 0 }, next;
	int slots[MOST], count = 0, which, error = 0;
	unsigned long operations = 0;
	char name[20];

	if (argc < 4 || argc > 3 + MOST)
		return 2;
	sys = argv[1];
	dice = seed_of(atol(argv[2]));
	for (int i = 3; i < argc; i++, count++) {
		if (sscanf(argv[i], "%d=%19s", &slots[count], name) != 2)
			return 2;
		while (strcmp(names[states[count]], name))
			states[count]++;
	}
	while (!is_gone(error)) {
		which = roll(&dice) % count;
		next = states[which] == GONE ? BOUND : states[which] == BOUND && roll(&dice) % 3 == 0 ? UNBOUND : GONE;
		says("try %d %s", slots[which], names[next]);
		error = change(slots[which], next);
		operations++;
		/* There can be only so many of a type. */
		if (error == ENOSPC || error == EUSERS)
			says("done %d %s", slots[which], names[states[which]]);
		else if (error == 0) {
			states[which] = next;
			says("done %d %s", slots[which], names[next]);
		} else if (!is_gone(error))
			wrong("change of device %d to %s: %s", slots[which], names[next], name_of(error));
	}
	figure("operations", operations);
	return 0;
}
