"""Asks for the descriptor of a device 2000 times while a timer interrupts. A call may fail with EINTR; a descriptor that
nobody was told of may not be left. Its argument is the UUID."""

import os
import signal
import sys

from vfio import *

UUID = sys.argv[1]
CALLS = 2000

libc = ctypes.CDLL(None, use_errno=True)
container, group, device = open_by_group(UUID)
name = ctypes.create_string_buffer(UUID.encode())
before = set(os.listdir('/proc/self/fd'))
rang = 0


def ring(_number, _frame):
    global rang
    rang += 1


signal.signal(signal.SIGALRM, ring)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 50e-6, 50e-6)
results = set()
for _ in range(CALLS):
    fd = libc.ioctl(group, ctypes.c_ulong(VFIO_GROUP_GET_DEVICE_FD), name)
    results.add('ok' if fd >= 0 else errno.errorcode[ctypes.get_errno()])
    if fd >= 0:
        os.close(fd)
    results.add('ok' if libc.ioctl(container.fd, ctypes.c_ulong(VFIO_GET_API_VERSION), 0) == 0 else 'version')
signal.setitimer(signal.ITIMER_REAL, 0)
say('results', *sorted(results - {'EINTR'}))
say('interrupted', rang > 0)
say('descriptors left', *set(os.listdir('/proc/self/fd')) - before)
