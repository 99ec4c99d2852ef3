"""Descriptors of a vGPU in threads, in a child, after exec, and in a process that they are sent to. Its argument is the
UUID. Called as `share.py PART FD`, it is that other program."""

import os
import socket
import struct
import subprocess
import sys
import threading

from vfio import *

IOVA = 0x100000


def child(call):
    """Runs a function in a child, which says what it finds. Returns the child's status."""
    pid = os.fork()
    if pid == 0:
        call()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def parent(uuid):
    container, group, vgpu = open_by_group(uuid)
    vgpu.start()
    pages = memory(PAGE, b'of the parent')
    secret = memory(PAGE)
    container.map(address(pages), IOVA, PAGE)

    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(vgpu.read(12, ID) for _ in range(50))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say('16 threads', len(found), *{read.hex() for read in found})

    def in_child():
        # Shared with the parent, as mmap(2) without a file is here; so the child has another page at the address.
        mmap_fixed_private(address(pages), b'of the child')
        say('in a child', *vgpu.info())
        say('DMA in a child', vgpu.run(LOAD, IOVA, 0, 13), vgpu.read(13, 0, 1))
        own = memory(PAGE, b'mapped by it')
        say('a mapping of the child', container.map(address(own), IOVA + PAGE, PAGE))
        say('its DMA', vgpu.run(LOAD, IOVA + PAGE, 0, 12), vgpu.read(12, 0, 1))

    say('child', child(in_child))
    say('DMA afterwards', vgpu.run(LOAD, IOVA, 0, 13), vgpu.read(13, 0, 1))
    say('DMA to memory of who has ended', vgpu.run(LOAD, IOVA + PAGE, 0, 12))

    say('lost by exec', subprocess.run([sys.executable, __file__, 'exec', str(vgpu.fd)]).returncode)
    os.set_inheritable(vgpu.fd, True)
    again = [sys.executable, __file__, 'exec', str(vgpu.fd)]
    say('exec', subprocess.run(again, close_fds=False).returncode)
    os.set_inheritable(vgpu.fd, False)

    ours, theirs = socket.socketpair()
    receiver = subprocess.Popen([sys.executable, __file__, 'receive', str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    socket.send_fds(ours, [b'x'], [vgpu.fd])
    for file in (vgpu.fd, group, container.fd):
        os.close(file)
    ours.send(b'x')
    say('receiver', receiver.wait())
    say('the group afterwards', open_group(uuid) > 2)


def mmap_fixed_private(where, fill):
    """A page of the process's own in the place of another."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    fixed, private, anonymous = 0x10, 0x02, 0x20
    assert libc.mmap(where, PAGE, 3, fixed | private | anonymous, -1, 0) == where
    ctypes.memmove(where, fill, len(fill))


def exec_(fd):
    vgpu = Vgpu(int(fd))
    say('after exec', attempt(vgpu.info), attempt(vgpu.read, 4, 0, CONFIG))


def receive(fd):
    link = socket.socket(fileno=int(fd))
    _, [sent], _, _ = socket.recv_fds(link, 1, 1)
    # Until it is the only one that has the device.
    link.recv(1)
    vgpu = Vgpu(sent)
    say('sent', *vgpu.info())
    msi = os.eventfd(0, os.EFD_NONBLOCK)
    say('interrupts', vgpu.set_irqs(MSI, EVENTFD | TRIGGER, msi), vgpu.set_irqs(MSI, NONE | TRIGGER), os.eventfd_read(msi))
    say('DMA', vgpu.run(LOAD, IOVA, 0, 13), vgpu.read(13, 0, 1))


parts = {'exec': exec_, 'receive': receive}
if sys.argv[1] in parts:
    parts[sys.argv[1]](sys.argv[2])
else:
    parent(sys.argv[1])
