"""What clients ask of VFIO, iommufd and KVM, with the plain system calls that a C program makes.

Numbers and structures are those of linux/vfio.h, linux/iommufd.h and linux/kvm.h. A client says each thing that it
finds in a line, and a call that fails by the name of its errno. /sys and /dev may be elsewhere, see SYS and DEV.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import struct

SYS = os.environ.get('SYS', '/sys')
DEV = os.environ.get('DEV', '/dev')
PAGE = mmap.PAGESIZE

VFIO_GET_API_VERSION, VFIO_CHECK_EXTENSION, VFIO_SET_IOMMU = 0x3b64, 0x3b65, 0x3b66
VFIO_GROUP_GET_STATUS, VFIO_GROUP_SET_CONTAINER, VFIO_GROUP_UNSET_CONTAINER = 0x3b67, 0x3b68, 0x3b69
VFIO_GROUP_GET_DEVICE_FD = 0x3b6a
VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO = 0x3b6b, 0x3b6c, 0x3b6d
VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_RESET = 0x3b6e, 0x3b6f
VFIO_IOMMU_GET_INFO, VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA = 0x3b70, 0x3b71, 0x3b72
VFIO_DEVICE_BIND_IOMMUFD, VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT = 0x3b76, 0x3b77, 0x3b78
IOMMU_DESTROY, IOMMU_IOAS_ALLOC, IOMMU_IOAS_MAP, IOMMU_IOAS_UNMAP = 0x3b80, 0x3b81, 0x3b85, 0x3b86
KVM_CREATE_VM, KVM_CREATE_DEVICE, KVM_SET_DEVICE_ATTR = 0xae01, 0xc00caee0, 0x4018aee1

TYPE1, TYPE1V2 = 1, 3
INTX, MSI, REQ = 0, 1, 4
NONE, EVENTFD, UNMASK, TRIGGER = 1, 4, 16, 32
CONFIG = 7
REGION_MMAP = 4
SPACING = 1 << 40

# Registers of a vGPU (docs/vgpu-device.md).
ID, SCRATCH, SOURCE, DESTINATION, LENGTH, COMMAND = 0x00, 0x0c, 0x10, 0x18, 0x20, 0x24
STATUS, ERROR, IRQ_ENABLE, IRQ_STATUS, PINNED = 0x28, 0x2c, 0x30, 0x34, 0x38
COPY, LOAD, STORE, PIN, UNPIN = 1, 2, 3, 4, 5


def attempt(call, *args):
    """What a call returns, or the name of the errno that it fails with."""
    try:
        return call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]


def say(what, *values):
    print(what + ':', *values, flush=True)


def ioctl(fd, request, argument=0):
    """What ioctl(2) returns. The argument is a number, or bytes in memory."""
    return fcntl.ioctl(fd, request, bytearray(argument) if isinstance(argument, bytes) else argument)


def ask(fd, request, layout, *values):
    """An ioctl with a structure; returns its fields as they are afterwards."""
    argument = bytearray(struct.pack(layout, *values))
    ioctl(fd, request, argument)
    return struct.unpack(layout, argument)


def group_number(uuid):
    return os.path.basename(os.readlink(f'{SYS}/bus/mdev/devices/{uuid}/iommu_group'))


def open_group(uuid):
    return os.open(f'{DEV}/vfio/{group_number(uuid)}', os.O_RDWR)


def get_device_fd(group, name):
    return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name.encode() + b'\0')


def memory(size, fill=b''):
    """Anonymous memory of the process that a device can be given."""
    pages = mmap.mmap(-1, size)
    pages[: len(fill)] = fill
    return pages


def address(pages):
    return ctypes.addressof(ctypes.c_char.from_buffer(pages))


class Container:
    def __init__(self, fd):
        self.fd = fd

    def map(self, vaddr, iova, size, flags=3):
        return ioctl(self.fd, VFIO_IOMMU_MAP_DMA, struct.pack('=IIQQQ', 32, flags, vaddr, iova, size))

    def unmap(self, iova, size):
        """How many bytes were unmapped."""
        return ask(self.fd, VFIO_IOMMU_UNMAP_DMA, '=IIQQ', 24, 0, iova, size)[3]


class Device:
    def __init__(self, fd):
        self.fd = fd

    def info(self):
        return ask(self.fd, VFIO_DEVICE_GET_INFO, '=IIII', 16, 0, 0, 0)[1:]

    def region(self, index):
        """Flags, size, offset."""
        _, flags, _, _, size, offset = ask(
            self.fd, VFIO_DEVICE_GET_REGION_INFO, '=IIIIQQ', 32, 0, index, 0, 0, 0
        )
        return flags, size, offset

    def irq(self, index):
        """Flags, count."""
        _, flags, _, count = ask(self.fd, VFIO_DEVICE_GET_IRQ_INFO, '=IIII', 16, 0, index, 0)
        return flags, count

    def set_irqs(self, index, flags, eventfd=None, count=1):
        data = b'' if eventfd is None else struct.pack('=i', eventfd)
        head = struct.pack('=IIIII', 20 + len(data), flags, index, 0, count)
        return ioctl(self.fd, VFIO_DEVICE_SET_IRQS, head + data)

    def reset(self):
        return ioctl(self.fd, VFIO_DEVICE_RESET)

    def read(self, length, offset, index=0):
        return os.pread(self.fd, length, index * SPACING + offset)

    def write(self, data, offset, index=0):
        return os.pwrite(self.fd, data, index * SPACING + offset)


class Vgpu(Device):
    def get(self, register):
        return int.from_bytes(self.read(4, register), 'little')

    def set(self, register, value):
        self.write(struct.pack('=I', value), register)

    def start(self):
        """Lets it access memory."""
        self.write(b'\x06\x00', 4, CONFIG)

    def run(self, command, source=0, destination=0, length=PAGE):
        """Runs a command; returns 0, or the name of the errno that it leaves."""
        self.write(struct.pack('=QQI', source, destination, length), SOURCE)
        self.set(COMMAND, command)
        error = self.get(ERROR)
        return errno.errorcode[error] if error else 0


def open_by_group(uuid, kind=Vgpu):
    """Container, descriptor of the group, device; as a user of one device has them."""
    group = open_group(uuid)
    container = Container(os.open(f'{DEV}/vfio/vfio', os.O_RDWR))
    ioctl(group, VFIO_GROUP_SET_CONTAINER, struct.pack('=i', container.fd))
    ioctl(container.fd, VFIO_SET_IOMMU, TYPE1V2)
    return container, group, kind(get_device_fd(group, uuid))
