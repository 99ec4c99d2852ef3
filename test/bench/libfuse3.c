/*
 * The yardstick: what an ordinary, well-written file system server costs. The same tree as mdevfs shows, served by a
 * C program over libfuse's low level, one thread, attributes with direct I/O and a size of a page, names and
 * attributes remembered by the kernel for TIMEOUT seconds. Nothing is behind the tree: every attribute reads the
 * same, a UUID written to `create` plants a device, a write to the device's `remove` takes it away.
 *
 *   libfuse3 DIR TREE TIMEOUT
 *
 * TREE has a line for each node, parents first: B (once) or T (for each device), kind (d, f or l), octal mode, path,
 * target; tabs between. {u} stands for the UUID of a device, {n} for its number.
 */
#define FUSE_USE_VERSION 34
#define _GNU_SOURCE
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUCKETS (1u << 20)
#define UUID_LENGTH 36
#define CONTENT "1999990\n"

/* Nodes are never freed: the kernel may know a removed one for long, and a benchmark does not take long. */
struct node {
	struct node *parent, *next, *prev, *first, *last, *collision;
	char *name, *target;
	uint64_t cookie;
	mode_t mode;
	unsigned device;
};

struct line {
	mode_t mode;
	int top; /* the parent is there without the device */
	char *path, *target;
};

static struct node root = { .name = "", .mode = S_IFDIR | 0755 };
static struct node *buckets[BUCKETS];
static struct line *template;
static unsigned template_length, devices_made, *free_numbers, free_count, free_room;
static uint64_t cookies;
static double timeout;
static struct fuse_session *session;

static struct node **bucket(struct node *parent, const char *name, size_t length)
{
	uint64_t hash = (uintptr_t)parent;

	while (length--)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3ull;
	return &buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct node *child(struct node *parent, const char *name, size_t length)
{
	struct node *node = *bucket(parent, name, length);

	while (node && (node->parent != parent || strncmp(node->name, name, length) || node->name[length]))
		node = node->collision;
	return node;
}

/* With `last`, the directory that the path's last component is in, and that component. */
static struct node *walk(const char *path, const char **last)
{
	struct node *node = &root;
	const char *slash;

	while (node && (slash = strchr(path, '/'))) {
		node = child(node, path, slash - path);
		path = slash + 1;
	}
	if (!last)
		return node ? child(node, path, strlen(path)) : NULL;
	*last = path;
	return node;
}

static struct node *plant(const char *path, mode_t mode, const char *target, unsigned device)
{
	const char *name;
	struct node *parent = walk(path, &name), *node = calloc(1, sizeof(*node)), **head;

	if (!parent || !node) {
		fprintf(stderr, "libfuse3: %s: no parent\n", path);
		exit(1);
	}
	node->parent = parent;
	node->name = strdup(name);
	node->target = S_ISLNK(mode) ? strdup(target) : NULL;
	node->mode = mode;
	node->device = device;
	node->cookie = ++cookies;
	node->prev = parent->last;
	*(parent->last ? &parent->last->next : &parent->first) = node;
	parent->last = node;
	head = bucket(parent, name, strlen(name));
	node->collision = *head;
	*head = node;
	return node;
}

static void uproot(struct node *node)
{
	struct node *parent = node->parent, **at = bucket(parent, node->name, strlen(node->name));

	while (node->first)
		uproot(node->first);
	while (*at != node)
		at = &(*at)->collision;
	*at = node->collision;
	*(node->prev ? &node->prev->next : &parent->first) = node->next;
	*(node->next ? &node->next->prev : &parent->last) = node->prev;
}

static void expand(char *out, size_t size, const char *in, const char *uuid, unsigned number)
{
	size_t at = 0;

	while (*in && at + UUID_LENGTH + 1 < size) {
		if (!strncmp(in, "{u}", 3))
			at += snprintf(out + at, size - at, "%s", uuid), in += 3;
		else if (!strncmp(in, "{n}", 3))
			at += snprintf(out + at, size - at, "%u", number), in += 3;
		else
			out[at++] = *in++;
	}
	out[at] = 0;
}

static void device_create(const char *uuid)
{
	unsigned number = free_count ? free_numbers[--free_count] : devices_made++, i;
	char path[4096], target[4096];

	for (i = 0; i < template_length; i++) {
		expand(path, sizeof(path), template[i].path, uuid, number);
		expand(target, sizeof(target), template[i].target, uuid, number);
		plant(path, template[i].mode, target, number);
	}
}

static void device_remove(struct node *device)
{
	char path[4096], *uuid = device->name;
	unsigned number = device->device, i;
	struct node *node;

	for (i = 0; i < template_length; i++) {
		if (!template[i].top)
			continue;
		expand(path, sizeof(path), template[i].path, uuid, number);
		node = walk(path, NULL);
		uproot(node);
		/* Before the reply: who wrote to `remove` finds nothing left. */
		fuse_lowlevel_notify_inval_entry(session,
						 node->parent == &root ? FUSE_ROOT_ID : (uintptr_t)node->parent,
						 node->name, strlen(node->name));
	}
	if (free_count == free_room) {
		free_room = free_room ? free_room * 2 : 1024;
		free_numbers = realloc(free_numbers, free_room * sizeof(*free_numbers));
	}
	free_numbers[free_count++] = number;
}

static void load(const char *file)
{
	FILE *in = fopen(file, "r");
	char *line = NULL, *save, *scope, *kind, *mode, *path, *target;
	size_t room = 0;
	unsigned i;

	if (!in) {
		perror(file);
		exit(1);
	}
	while (getline(&line, &room, in) > 0) {
		line[strcspn(line, "\n")] = 0;
		save = line;
		scope = strsep(&save, "\t");
		kind = strsep(&save, "\t");
		mode = strsep(&save, "\t");
		path = strsep(&save, "\t");
		target = save ? save : "";
		mode_t full = strtoul(mode, NULL, 8) | (*kind == 'd' ? S_IFDIR : *kind == 'l' ? S_IFLNK : S_IFREG);
		if (*scope == 'B') {
			plant(path, full, target, 0);
			continue;
		}
		template = realloc(template, (template_length + 1) * sizeof(*template));
		struct line *made = &template[template_length++];
		made->mode = full;
		made->path = strdup(path);
		made->target = strdup(target);
		made->top = 1;
		for (i = 0; i + 1 < template_length; i++) {
			size_t length = strlen(template[i].path);

			if (!strncmp(template[i].path, path, length) && path[length] == '/')
				made->top = 0;
		}
	}
	free(line);
	fclose(in);
}

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino;
}

static struct stat stat_of(struct node *node)
{
	return (struct stat){
		.st_ino = node == &root ? FUSE_ROOT_ID : (uintptr_t)node,
		.st_mode = node->mode,
		.st_nlink = S_ISDIR(node->mode) ? 2 : 1,
		.st_size = S_ISREG(node->mode) ? 4096 : 0,
		.st_blksize = 4096,
	};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *node = child(node_of(parent), name, strlen(name));
	struct fuse_entry_param entry = { 0 };

	if (!node) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	entry.ino = (uintptr_t)node;
	entry.attr = stat_of(node);
	entry.attr_timeout = entry.entry_timeout = timeout;
	fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = stat_of(node_of(ino));

	(void)fi;
	fuse_reply_attr(req, &st, timeout);
}

/* A file opened for writing with O_TRUNC keeps its size, as in sysfs. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	op_getattr(req, ino, fi);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	fuse_reply_readlink(req, node_of(ino)->target);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	size_t length = strlen(CONTENT);

	(void)ino;
	(void)fi;
	if ((size_t)offset >= length)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, CONTENT + offset, length - offset < size ? length - offset : size);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	struct node *node = node_of(ino);
	char uuid[UUID_LENGTH + 1] = "";

	(void)offset;
	(void)fi;
	if (!strcmp(node->name, "create") && size >= UUID_LENGTH) {
		memcpy(uuid, data, UUID_LENGTH);
		device_create(uuid);
	} else if (!strcmp(node->name, "remove")) {
		device_remove(node->parent);
	} else {
		fuse_reply_err(req, EINVAL);
		return;
	}
	fuse_reply_write(req, size);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->fh = (uintptr_t)node_of(ino)->first;
	fuse_reply_open(req, fi);
}

/* The handle is the entry to go on with, which is where the kernel goes on unless somebody seeks. */
static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct node *dir = node_of(ino), *at = (struct node *)(uintptr_t)fi->fh;
	char *out = malloc(size);
	size_t used = 0, need;

	if (!at || !at->prev || (off_t)at->prev->cookie != offset)
		for (at = dir->first; at && (off_t)at->cookie <= offset; at = at->next)
			;
	for (; at; at = at->next) {
		struct stat st = stat_of(at);

		need = fuse_add_direntry(req, out + used, size - used, at->name, &st, at->cookie);
		if (need > size - used)
			break;
		used += need;
	}
	fi->fh = (uintptr_t)at;
	fuse_reply_buf(req, out, used);
	free(out);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.opendir = op_opendir,
	.readdir = op_readdir,
};

int main(int argc, char **argv)
{
	char *words[] = { argv[0], "-o", "fsname=mdevfs-bench,default_permissions", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, words);
	int result;

	if (argc != 4) {
		fprintf(stderr, "usage: libfuse3 DIR TREE TIMEOUT\n");
		return 2;
	}
	load(argv[2]);
	timeout = atof(argv[3]);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1]))
		return 1;
	printf("%s\n", argv[1]);
	fflush(stdout);
	result = fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return result < 0;
}
