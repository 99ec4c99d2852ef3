#!/bin/busybox sh
# First process of a guest: a shell that takes its commands from the second serial port and writes there what they write.
# The first serial port is the kernel's console. The guest ends with its shell.

/bin/busybox mkdir -p /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
export PATH=/bin:/sbin:/usr/bin:/usr/sbin

exec 3<>/dev/ttyS1
stty raw -echo 115200 <&3
echo mdevfs-guest-ready >&3
# A shell that reads from a terminal and writes to one would think that it talks to somebody.
sh <&3 3>&- 2>/tmp/shell-errors | cat >&3
cat /tmp/shell-errors >/dev/console
poweroff -f
