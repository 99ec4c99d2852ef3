/*
 * Attribute noise: random texts, written to every file of a tree that can be written.
 *
 *   attribute-noise SYS WRITES SEED
 *
 * Right: each write ends with a count or an errno of a kernel. ENOSYS and ENOTCONN say that the daemon is gone; EIO is
 * what some files answer to everything, so for faults of the daemon one has to look at its log.
 */
#include "torture.h"
#include <ftw.h>

#define MOST_FILES 20000
#define LONGEST 131072

static const char *const texts[] = {
	"1", "0", "-1", "on", "auto", "", "\n", "1\n1", "add", "remove", "change", "online", "offline", "bind", "unbind",
	"99999999999999999999999", "0x7fffffff", "1e9", "-0", "%s%n", "../..", "0000:3b:00.0", "0000:3b:00.4", "mtty",
	"nvidia", "vfio_pci", "(null)", "10de 1eb8", "10de 1eb8 1 2 3 4 5 6 7", "+1", "0,+5", "0xff", "modprobe mtty",
	"rmmod mtty", "modprobe ../x", "insmod mdpy count=0", "insmod mdpy count=999999999", "modprobe __proto__",
	"remove mtty", "add mtty", "add /etc/passwd", "add ../../x", "add default", "clear", "clear 1",
	"op=open path=class/** delay=5 times=3", "op=ioctl device=* request=0 errno=EPERM times=1",
	"op=probe driver=* errno=ENODEV times=1 log=\"%s\"", "op=write short=1 path=** times=2",
	"op=read path=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a* errno=EPERM times=2", "op=read path=[[[ errno=EPERM",
	"7042e000-0000-4000-8000-000000000000 vm=x memory=1T", "7042e000-0000-4000-8000-000000000000 memory=-1",
	"7042e000-0000-4000-8000-000000000001 iommufd", "\xff\xfe", "frame_rate_limiter=1", "a=b,c=d", "__proto__",
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static const size_t lengths[] = { 4095, 4096, 4097, LONGEST };
static const off_t offsets[] = { 0, 1, 4095, 4096, (off_t)1 << 40 };

static char *files[MOST_FILES], text[LONGEST + 1];
static unsigned count;
static uint64_t dice;

static unsigned below(unsigned n)
{
	return roll(&dice) % n;
}

static int note(const char *path, const struct stat *found, int type, struct FTW *at)
{
	(void)at;
	if (type == FTW_F && (found->st_mode & 0222) && count < MOST_FILES)
		files[count++] = strdup(path);
	return 0;
}

static void scan(const char *sys)
{
	while (count > 0)
		free(files[--count]);
	if (nftw(sys, note, 64, FTW_PHYS))
		fail(sys);
	if (count == 0)
		fail("no file can be written");
}

/* Returns the length of the next text. */
static size_t compose(void)
{
	size_t length, kind = below(100);

	if (kind < 60)
		return strlen(strcpy(text, texts[below(TEXTS)]));
	if (kind < 85)
		return sprintf(text, "7042e000-0000-4000-8000-%012x", below(6));
	length = kind < 90 ? lengths[below(4)] : below(200);
	for (size_t i = 0; i < length; i++)
		text[i] = kind < 90 ? 'x' : (char)roll(&dice);
	return length;
}

static int write_to(const char *path, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | (below(3) ? 0 : O_TRUNC)), error;
	ssize_t written;

	if (fd < 0)
		return errno;
	written = below(10) ? write(fd, text, length) : pwrite(fd, text, length, offsets[below(5)]);
	error = written < 0 ? errno : 0;
	close(fd);
	return error;
}

int main(int argc, char **argv)
{
	unsigned long writes, good = 0, bad = 0;
	double since, longest = 0;
	size_t length;
	char *path;
	int error;

	if (argc != 4)
		return 2;
	writes = atol(argv[2]);
	dice = seed_of(atol(argv[3]));
	for (unsigned long i = 0; i < writes && bad < 5; i++) {
		if (i % 1500 == 0)
			scan(argv[1]);
		path = files[below(count)];
		length = compose();
		since = now();
		error = write_to(path, length);
		if (now() - since > longest)
			longest = now() - since;
		good += !error;
		if ((error == ENOTCONN || error == ECONNABORTED || error == ENOSYS || error > EHWPOISON) && bad++ < 5)
			wrong("write of %.60s to %s: %s", text, path + strlen(argv[1]), name_of(error));
	}
	figure("operations", writes);
	figure("worst_us", longest * 1e6);
	says("%lu of %lu writes succeeded", good, writes);
	return 0;
}
