"""The example of the kernel's VFIO documentation: a container, a group, a device, DMA, interrupts. Its argument is the UUID
of a vGPU."""

import os
import struct
import sys

from vfio import *

UUID = sys.argv[1]
IOVA = 0x1_0000_0000

container = os.open(f'{DEV}/vfio/vfio', os.O_RDWR)
say('API version', ioctl(container, VFIO_GET_API_VERSION))
say('extensions', *[ioctl(container, VFIO_CHECK_EXTENSION, n) for n in (TYPE1, TYPE1V2, 999)])
say('an IOMMU without a group', attempt(ioctl, container, VFIO_SET_IOMMU, TYPE1V2))
say('a group that is not there', attempt(os.open, f'{DEV}/vfio/4711', os.O_RDWR))

group = open_group(UUID)
say('the group again', attempt(open_group, UUID))
say('status', ask(group, VFIO_GROUP_GET_STATUS, '=II', 8, 0)[1])
say('a device without a container', attempt(get_device_fd, group, UUID))
say('a container that is none', attempt(ioctl, group, VFIO_GROUP_SET_CONTAINER, struct.pack('=i', 1)))
say('no descriptor', attempt(ioctl, group, VFIO_GROUP_SET_CONTAINER, struct.pack('=i', 999)))
say('the container', ioctl(group, VFIO_GROUP_SET_CONTAINER, struct.pack('=i', container)))
say('status', ask(group, VFIO_GROUP_GET_STATUS, '=II', 8, 0)[1])
say('the IOMMU', ioctl(container, VFIO_SET_IOMMU, TYPE1V2))
say('page sizes', ask(container, VFIO_IOMMU_GET_INFO, '=IIQII', 24, 0, 0, 0, 0)[2] & PAGE)

say('another name', attempt(get_device_fd, group, 'nobody'))
say('a name that is nowhere', attempt(ioctl, group, VFIO_GROUP_GET_DEVICE_FD, 8))
vgpu = Vgpu(get_device_fd(group, UUID))
say('closed on exec', not os.get_inheritable(vgpu.fd))
say('info', *vgpu.info())
for index in range(9):
    say(f'region {index}', attempt(vgpu.region, index))
for index in range(5):
    say(f'interrupt {index}', attempt(vgpu.irq, index))
say('a request that is none', attempt(ioctl, vgpu.fd, 0x3bff))

say('configuration space', vgpu.read(4, 0, CONFIG).hex(), vgpu.read(4, 0x50, CONFIG).hex())
say('beyond it', attempt(vgpu.read, 4, 254, CONFIG), attempt(vgpu.read, 4, 0, 2))
vgpu.write(b'\xff' * 8, 0x10, CONFIG)
say('sizes of base addresses', vgpu.read(8, 0x10, CONFIG).hex())
say('registers', vgpu.read(12, ID).hex())

flags, size, offset = vgpu.region(1)
vgpu.write(b'through the file', 0x1234, 1)
if flags & REGION_MMAP:
    bar = mmap.mmap(vgpu.fd, size, offset=offset)
    say('the file in the mapping', bar[0x1234:0x1244])
    bar[size - 4 : size] = b'last'
    say('the mapping in the file', vgpu.read(4, size - 4, 1))
    bar.close()
else:
    say('a mapping', attempt(lambda: mmap.mmap(vgpu.fd, size, offset=offset)))

pages = memory(16 * PAGE, b'from the process')
mapped = Container(container)
say('map', mapped.map(address(pages), IOVA, len(pages)))
say('map again', attempt(mapped.map, address(pages), IOVA + PAGE, PAGE))
say('map half a page', attempt(mapped.map, address(pages), 0, PAGE // 2))
say('no bus master', vgpu.run(LOAD, IOVA, 0, 16))
vgpu.start()
say('load', vgpu.run(LOAD, IOVA, 0x2003, 16), vgpu.read(16, 0x2003, 1))
say('store', vgpu.run(STORE, 0x1234, IOVA + 3 * PAGE - 8, 16), pages[3 * PAGE - 8 : 3 * PAGE + 8])
say('copy', vgpu.run(COPY, IOVA, IOVA + 5 * PAGE + 1, 16), pages[5 * PAGE + 1 : 5 * PAGE + 17])
say('beyond the mapping', vgpu.run(LOAD, IOVA + 15 * PAGE, 0, 2 * PAGE))
whole = os.urandom(len(pages))
pages[:] = whole
say('all of it', vgpu.run(LOAD, IOVA, 0x10000, len(pages)), vgpu.read(len(pages), 0x10000, 1) == whole)
say('pin', vgpu.run(PIN, IOVA, 0, len(pages)), vgpu.get(PINNED))

msi = os.eventfd(0, os.EFD_NONBLOCK)
say('an eventfd that is none', attempt(vgpu.set_irqs, MSI, EVENTFD | TRIGGER, container))
say('MSI', vgpu.set_irqs(MSI, EVENTFD | TRIGGER, msi))
say('none yet', attempt(os.eventfd_read, msi))
vgpu.set(IRQ_ENABLE, 1)
say('commands', vgpu.run(LOAD, IOVA, 0, 16), vgpu.run(LOAD, IOVA, 0, 16), vgpu.run(99))
say('interrupts', os.eventfd_read(msi))
say('interrupts by request', vgpu.set_irqs(MSI, NONE | TRIGGER), os.eventfd_read(msi))
say('INTx beside it', attempt(vgpu.set_irqs, INTX, EVENTFD | TRIGGER, msi))

vgpu.set(SCRATCH, 7)
say('reset', vgpu.reset(), vgpu.get(SCRATCH), vgpu.get(IRQ_ENABLE), vgpu.get(PINNED))
vgpu.start()
say('unmap', mapped.unmap(IOVA, len(pages)), mapped.unmap(IOVA, len(pages)))
say('unmapped', vgpu.run(LOAD, IOVA, 0, 16))

say('the container while a device is open', attempt(ioctl, group, VFIO_GROUP_UNSET_CONTAINER))
os.close(vgpu.fd)
say('the container', ioctl(group, VFIO_GROUP_UNSET_CONTAINER))
os.close(group)
os.close(container)
say('the group again', open_group(UUID) > 2)
