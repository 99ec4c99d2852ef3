"""How much memory a device may pin. Arguments: the UUID of a vGPU, and to how many bytes the limit is changed, if it is."""

import resource
import sys

from vfio import *

UUID, *sizes = sys.argv[1:]
IOVA, SIZE = 0x100000, 1 << 21

LIMIT = resource.RLIMIT_MEMLOCK
say('limit', *resource.getrlimit(LIMIT))
for size in map(int, sizes):
    say('changed from', *resource.prlimit(0, LIMIT, (size, size)))
container, group, vgpu = open_by_group(UUID)
vgpu.start()
pages = memory(SIZE)
container.map(address(pages), IOVA, SIZE)
for start, length in ((0, 1 << 16), (0, 1 << 20), (1 << 20, PAGE)):
    say(f'pin {length} at {start}', vgpu.run(PIN, IOVA + start, 0, length), vgpu.get(PINNED))
