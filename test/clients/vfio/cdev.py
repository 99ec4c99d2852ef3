"""A device by its own node and an iommufd. Arguments: the UUID of a vGPU, and `node` if its node has to be a character
device with the number that sysfs tells."""

import os
import stat
import struct
import sys

from vfio import *

UUID, *more = sys.argv[1:]
IOVA = 0x10000

directory = f'{SYS}/bus/mdev/devices/{UUID}/vfio-dev'
[name] = os.listdir(directory)
path = f'{DEV}/vfio/devices/{name}'
with open(f'{directory}/{name}/dev') as file:
    number = file.read().strip()
fd = os.open(path, os.O_RDWR)
if 'node' in more:
    found = os.fstat(fd)
    say('node', stat.S_ISCHR(found.st_mode), number == f'{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}')

vgpu = Vgpu(fd)
iommu = os.open(f'{DEV}/iommu', os.O_RDWR)
say('bind to what is no iommufd', attempt(ask, fd, VFIO_DEVICE_BIND_IOMMUFD, '=IIiI', 16, 0, 1, 0))
say('before it is bound', attempt(vgpu.info), attempt(vgpu.read, 4, 0))
devid = ask(fd, VFIO_DEVICE_BIND_IOMMUFD, '=IIiI', 16, 0, iommu, 0)[3]
say('bind again', attempt(ask, fd, VFIO_DEVICE_BIND_IOMMUFD, '=IIiI', 16, 0, iommu, 0))
say('the group', attempt(open_group, UUID))
other = os.open(path, os.O_RDWR)
say('bind another', attempt(ask, other, VFIO_DEVICE_BIND_IOMMUFD, '=IIiI', 16, 0, iommu, 0))
os.close(other)

ioas = ask(iommu, IOMMU_IOAS_ALLOC, '=III', 12, 0, 0)[2]
say('ids', devid != ioas)
say('attach to what is none', attempt(ask, fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, '=III', 12, 0, 999))
say('attach', ask(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, '=III', 12, 0, ioas)[2] == ioas)
say('info', *vgpu.info())
say('registers', vgpu.read(12, ID).hex())

flags, size, offset = vgpu.region(1)
say('memory', flags, size)
vgpu.write(b'through the file', 0x1234, 1)
if flags & REGION_MMAP:
    bar = mmap.mmap(fd, size, offset=offset)
    say('the file in the mapping', bar[0x1234:0x1244])
    bar.close()

pages = memory(4 * PAGE, b'from the process')


def map_at(vaddr):
    return ask(iommu, IOMMU_IOAS_MAP, '=IIIIQQQ', 40, 7, ioas, 0, vaddr, len(pages), IOVA)[6]


say('map', map_at(address(pages)) == IOVA)
say('map again', attempt(map_at, address(pages)))
vgpu.start()
say('load', vgpu.run(LOAD, IOVA, 0x40, 16), vgpu.read(16, 0x40, 1))
say('store', vgpu.run(STORE, 0x1234, IOVA + PAGE, 16), pages[PAGE : PAGE + 16])
say('not mapped', vgpu.run(LOAD, 0, 0, 16))
say('destroy in use', attempt(ask, iommu, IOMMU_DESTROY, '=II', 8, ioas))
say('unmap', ask(iommu, IOMMU_IOAS_UNMAP, '=IIQQ', 24, ioas, IOVA, len(pages))[3] == len(pages))
say('unmapped', vgpu.run(LOAD, IOVA, 0, 16))
map_at(address(pages))
say('detach', ask(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, '=II', 8, 0)[0])
say('detached', vgpu.run(LOAD, IOVA, 0, 16))
say('destroy', ask(iommu, IOMMU_DESTROY, '=II', 8, ioas)[1] == ioas)
os.close(fd)
os.close(iommu)
os.close(open_group(UUID))
say('free again', True)
