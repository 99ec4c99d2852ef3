"""Is busy with a vGPU in every way at once, until it is killed. Its argument is the UUID."""

import os
import signal
import sys
import threading

from vfio import *

UUID = sys.argv[1]
IOVA, SIZE = 0x100000, 1 << 20

container, group, vgpu = open_by_group(UUID)
vgpu.start()
pages = memory(SIZE)
container.map(address(pages), IOVA, SIZE)
vgpu.run(PIN, IOVA, 0, 64 * PAGE)
bar = mmap.mmap(vgpu.fd, SIZE, offset=SPACING)
interrupt = os.eventfd(0, os.EFD_NONBLOCK)


def descriptors():
    os.close(get_device_fd(group, UUID))


def transfers():
    vgpu.run(LOAD, IOVA, 0, SIZE)
    vgpu.run(STORE, 0, IOVA, SIZE)


def mappings():
    more = memory(PAGE)
    container.map(address(more), IOVA + SIZE, PAGE)
    container.unmap(IOVA + SIZE, PAGE)


def interrupts():
    vgpu.set_irqs(MSI, EVENTFD | TRIGGER, interrupt)
    vgpu.set_irqs(MSI, NONE | TRIGGER)


def reads():
    vgpu.read(1 << 16, 0, 1)


def forever(call):
    while True:
        call()


for call in (descriptors, transfers, mappings, interrupts, reads):
    threading.Thread(target=forever, args=[call]).start()
print('busy', flush=True)
signal.pause()
