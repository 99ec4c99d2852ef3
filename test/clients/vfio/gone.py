"""What is left of a device whose daemon is killed. Arguments: the UUID of a vGPU that is opened by its group, of one that is
opened by its node, and the daemon's program file and a word of its command line."""

import os
import signal
import sys
import threading
import time

from vfio import *

UUID, SECOND, PROGRAM, WORD = sys.argv[1:]


def daemon():
    """The process with that program file, which is told that word."""
    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                words = file.read().split(b'\0')
            if os.readlink(f'/proc/{pid}/exe') == PROGRAM and WORD.encode() in words:
                return pid
        except FileNotFoundError:
            pass
    raise SystemExit('no daemon')


container, group, vgpu = open_by_group(UUID)
[node] = os.listdir(f'{SYS}/bus/mdev/devices/{SECOND}/vfio-dev')
device = os.open(f'{DEV}/vfio/devices/{node}', os.O_RDWR)
iommu = os.open(f'{DEV}/iommu', os.O_RDWR)
pages = memory(PAGE)
container.map(address(pages), 0, PAGE)
bar = mmap.mmap(vgpu.fd, PAGE, offset=SPACING)
bar[:4] = b'kept'

ends = []


def until_it_fails(call):
    while True:
        result = attempt(call)
        if isinstance(result, str):
            ends.append(result)
            return


busy = [
    threading.Thread(target=until_it_fails, args=[call])
    for call in (
        lambda: os.close(get_device_fd(group, UUID)),
        lambda: vgpu.info() and None,
        lambda: vgpu.read(1 << 16, 0, 1) and None,
        lambda: vgpu.write(bytes(1 << 16), PAGE, 1),
    )
]
for thread in busy:
    thread.start()
pid = daemon()
os.kill(pid, signal.SIGKILL)
for thread in busy:
    thread.join()
say('calls that were under way', *sorted(set(ends) - {'ENOTCONN', 'ENOSYS', 'ECONNABORTED'}))
# A connection ends with the last thread of the daemon.
while os.path.exists(f'/proc/{pid}/fd'):
    try:
        os.listdir(f'/proc/{pid}/fd')
    except OSError:
        break
    time.sleep(0.01)
for what, call in (
    ('read', lambda: vgpu.read(4, 0)),
    ('write', lambda: vgpu.write(b'1234', 0)),
    ('info', vgpu.info),
    ('set interrupts', lambda: vgpu.set_irqs(MSI, NONE | TRIGGER)),
    ('map', lambda: container.map(address(pages), PAGE, PAGE)),
    ('a device', lambda: get_device_fd(group, UUID)),
    ('bind', lambda: ask(device, VFIO_DEVICE_BIND_IOMMUFD, '=IIiI', 16, 0, iommu, 0)),
    ('alloc', lambda: ask(iommu, IOMMU_IOAS_ALLOC, '=III', 12, 0, 0)),
    ('open', lambda: os.open(f'{DEV}/vfio/vfio', os.O_RDWR)),
):
    say(what, attempt(call))
say('mapping', bar[:4])
for what, fd in (('device', vgpu.fd), ('group', group), ('container', container.fd), ('node', device), ('iommu', iommu)):
    say(f'close {what}', attempt(os.close, fd) or 0)
say('another file', attempt(os.close, os.open('/dev/null', os.O_RDWR)) or 0)
