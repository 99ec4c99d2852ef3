"""Opens a vGPU and lets it go, again and again, each step as soon as the one before has returned. Arguments: the UUID, how
many times."""

import os
import sys

from vfio import *

UUID, times = sys.argv[1:]
found = set()
for _ in range(int(times)):
    container, group, vgpu = open_by_group(UUID)
    os.close(vgpu.fd)
    found.add(attempt(ioctl, group, VFIO_GROUP_UNSET_CONTAINER))
    os.close(group)
    os.close(container.fd)
say('let go', *found)
