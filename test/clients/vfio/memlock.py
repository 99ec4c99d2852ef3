"""How much memory a device may pin. Arguments: the UUID of a vGPU, and to how many bytes the limit is raised, if it is."""

import resource
import sys

from vfio import *

UUID, *more = sys.argv[1:]
IOVA, SIZE = 0x100000, 1 << 20

LIMIT = resource.RLIMIT_MEMLOCK
say('limit', *resource.getrlimit(LIMIT))
for size in map(int, more):
    say('raised from', *resource.prlimit(0, LIMIT, (size, size)))
container, group, vgpu = open_by_group(UUID)
vgpu.start()
pages = memory(SIZE)
container.map(address(pages), IOVA, SIZE)
for length in (1 << 16, SIZE):
    say(f'pin {length}', vgpu.run(PIN, IOVA, 0, length), vgpu.get(PINNED))
say('pin a page more', vgpu.run(PIN, IOVA + (1 << 16), 0, PAGE), vgpu.get(PINNED))
