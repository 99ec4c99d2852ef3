"""Several vGPUs in one container of one process: each has its own memory and interrupt, and all the same IOVAs. Its
arguments are the UUIDs."""

import os
import sys

from vfio import *

IOVA = 0x100000
container = Container(os.open(f'{DEV}/vfio/vfio', os.O_RDWR))
vgpus = []
for uuid in sys.argv[1:]:
    group = open_group(uuid)
    ioctl(group, VFIO_GROUP_SET_CONTAINER, struct.pack('=i', container.fd))
    if not vgpus:
        ioctl(container.fd, VFIO_SET_IOMMU, TYPE1V2)
    vgpus.append(Vgpu(get_device_fd(group, uuid)))
pages = memory(PAGE * (len(vgpus) + 1), b'0')
container.map(address(pages), IOVA, len(pages))
interrupts = []
for n, vgpu in enumerate(vgpus):
    vgpu.start()
    interrupts.append(os.eventfd(0, os.EFD_NONBLOCK))
    vgpu.set_irqs(MSI, EVENTFD | TRIGGER, interrupts[n])
    vgpu.set(IRQ_ENABLE, 1)
    bar = mmap.mmap(vgpu.fd, PAGE, offset=SPACING)
    vgpu.run(LOAD, IOVA + n * PAGE, 0, 1)
    bar[0] += 1
    vgpu.run(STORE, 0, IOVA + (n + 1) * PAGE, 1)
say('handed on', bytes(pages[n * PAGE] for n in range(len(vgpus) + 1)))
say('interrupts', *map(os.eventfd_read, interrupts))
