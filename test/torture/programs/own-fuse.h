/*
 * A FUSE server of a client's own: a tree PATH/vfio/devices/vfio0 with a file that may have any inode number, and that
 * stops to answer when its client wants that.
 *
 * The server is a process of its own, in the client's process group. It must not be a thread of the client: one that ends
 * closes its files before its descriptor of the FUSE device, and would wait for its own answer to that for ever.
 */
#ifndef TORTURE_OWN_FUSE_H
#define TORTURE_OWN_FUSE_H

#include "torture.h"
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define FILE_NODE 4

static struct own {
	int fd;
	uint64_t inode;
	volatile uint32_t silent;
} *own;

static struct fuse_attr own_attr(uint64_t node)
{
	int is_file = node == FILE_NODE;

	return (struct fuse_attr){ .ino = is_file ? own->inode : node, .size = is_file ? 1 << 20 : 0,
				   .mode = is_file ? S_IFREG | 0666 : S_IFDIR | 0777, .nlink = 1,
				   .blksize = PAGE };
}

static void own_answer(uint64_t unique, int error, const void *body, size_t length)
{
	struct fuse_out_header head = { .len = sizeof(head) + length, .error = error, .unique = unique };
	char message[sizeof(head) + PAGE];

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, length);
	/* Who asked may be gone. */
	if (write(own->fd, message, head.len) < 0)
		return;
}

static uint64_t own_child(uint64_t node, const char *name)
{
	static const char *const names[] = { "vfio", "devices", "vfio0" };

	return node < FILE_NODE && !strcmp(name, names[node - 1]) ? node + 1 : 0;
}

static void own_lookup(const struct fuse_in_header *head)
{
	uint64_t node = own_child(head->nodeid, (const char *)(head + 1));
	struct fuse_entry_out entry = { .nodeid = node };

	if (!node)
		own_answer(head->unique, -ENOENT, "", 0);
	else {
		entry.attr = own_attr(node);
		own_answer(head->unique, 0, &entry, sizeof(entry));
	}
}

static void own_serve_one(const struct fuse_in_header *head)
{
	struct fuse_init_out init = { .major = 7, .minor = 31, .max_readahead = 65536, .max_write = 65536 };
	struct fuse_attr_out attr = { .attr = own_attr(head->nodeid) };
	struct fuse_open_out opened = { .fh = 1 };
	static const char zeros[PAGE];

	if (own->silent && head->opcode == own->silent && head->nodeid == FILE_NODE)
		return;
	switch (head->opcode) {
	case FUSE_INIT:
		return own_answer(head->unique, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return own_lookup(head);
	case FUSE_GETATTR:
		return own_answer(head->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return own_answer(head->unique, 0, &opened, sizeof(opened));
	case FUSE_READ:
		return own_answer(head->unique, 0, zeros, sizeof(zeros));
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return own_answer(head->unique, 0, "", 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return own_answer(head->unique, -ENOSYS, "", 0);
	}
}

static void own_serve(void)
{
	static char message[1 << 17];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(own->fd, message, sizeof(message)) > 0)
		own_serve_one((const struct fuse_in_header *)message);
	_exit(0);
}

/*
 * Mounts it at a directory. The FUSE device may be another node than /dev/fuse, which is root's alone in places.
 * Returns the descriptor of its file.
 */
static inline int own_file(const char *fuse, const char *dir, uint64_t inode, int flags)
{
	char options[100], path[PATH_ROOM];
	pid_t server;
	int fd;

	own = mmap(NULL, sizeof(*own), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	own->inode = inode;
	own->fd = open(fuse, O_RDWR | O_CLOEXEC);
	if (own->fd < 0)
		fail(fuse);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", own->fd);
	if (mount("own", dir, "fuse", 0, options))
		fail("mount of a FUSE of its own");
	server = fork();
	if (server < 0)
		fail("fork");
	if (server == 0)
		own_serve();
	close(own->fd);
	snprintf(path, sizeof(path), "%s/vfio/devices/vfio0", dir);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

/* From now on requests of a kind about its file are not answered. */
static inline void own_be_silent(uint32_t opcode)
{
	own->silent = opcode;
}

#endif
