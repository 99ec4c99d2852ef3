// The sysfs calls of a manager of virtual machines, in a static program: no library in between can redirect its paths.
// Takes where sysfs is, a parent, a type and a UUID. Makes the device, looks at it as such a manager does, removes it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *name_of(int error) {
  return error == 0 ? "ok" : strerror(error);
}

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
  if (fd < 0) return errno;
  int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
  close(fd);
  return error;
}

static void show_link(const char *what, const char *path) {
  char target[PATH_MAX];
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) {
    printf("%s: %s\n", what, strerror(errno));
    return;
  }
  target[length] = 0;
  printf("%s: %s\n", what, target);
}

static void show_text(const char *what, const char *path) {
  char text[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (length < 0) {
    printf("%s: %s\n", what, strerror(errno));
    return;
  }
  text[length] = 0;
  printf("%s: %s", what, text);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const char *sys = argv[1], *parent = argv[2], *type = argv[3], *uuid = argv[4];
  char path[PATH_MAX], types[PATH_MAX], devices[PATH_MAX];
  snprintf(types, sizeof types, "%s/class/mdev_bus/%s/mdev_supported_types/%s", sys, parent, type);
  snprintf(devices, sizeof devices, "%s/bus/mdev/devices", sys);

  snprintf(path, sizeof path, "%.*s/create", PATH_MAX - 16, types);
  printf("create: %s\n", name_of(put(path, uuid)));

  DIR *dir = opendir(devices);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (entry->d_name[0] != '.') printf("entry: %s type %d\n", entry->d_name, entry->d_type);
  if (dir) closedir(dir);

  snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - 64, devices, uuid);
  show_link("device", path);
  snprintf(path, sizeof path, "%.*s/%s/iommu_group", PATH_MAX - 64, devices, uuid);
  show_link("iommu_group", path);
  snprintf(path, sizeof path, "%.*s/%s/mdev_type/name", PATH_MAX - 64, devices, uuid);
  show_text("name", path);
  snprintf(path, sizeof path, "%.*s/%s/remove", PATH_MAX - 64, devices, uuid);
  printf("remove: %s\n", name_of(put(path, "1")));
  snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - 64, devices, uuid);
  show_link("device", path);
  return 0;
}
