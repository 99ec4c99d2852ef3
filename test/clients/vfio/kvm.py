"""VFIO files of emulated devices and a VM of the machine's own KVM. Arguments: UUIDs of two devices."""

import ctypes
import os
import struct
import sys

from vfio import *

ADD, DEL = 1, 2

vm = ioctl(os.open('/dev/kvm', os.O_RDWR), KVM_CREATE_VM, 0)
kvm = ask(vm, KVM_CREATE_DEVICE, '=III', 4, 0, 0)[1]
say('a device of the VM', os.readlink(f'/proc/self/fd/{kvm}'))


def change(attr, fd):
    number = ctypes.create_string_buffer(struct.pack('=i', fd))
    return change_at(attr, ctypes.addressof(number))


def change_at(attr, where):
    return ioctl(kvm, KVM_SET_DEVICE_ATTR, struct.pack('=IIQQ', 0, 1, attr, where))


first, second = (open_group(uuid) for uuid in sys.argv[1:])
say('delete before', attempt(change, DEL, first))
say('add', change(ADD, first), change(ADD, second))
say('add again', attempt(change, ADD, first))
say('add what is no VFIO file', attempt(change, ADD, 1))
say('add no descriptor', attempt(change, ADD, 999))
say('from nowhere', attempt(change_at, ADD, 8))
say('another attribute', attempt(change, 77, first))
with open(f'{SYS}/kernel/debug/mdevfs/vms') as vms:
    print(vms.read().replace(f'vm {os.getpid()}-{kvm}', 'the vm'), end='', flush=True)
say('delete', change(DEL, first))
say('delete again', attempt(change, DEL, first))
say('add after that', change(ADD, first))
