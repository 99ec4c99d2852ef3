/**
 * What clients of test/clients/vfio say when all is as with a kernel.
 * @module
 */

/** @param mapped whether memory of the device can be mapped */
export const groupSays = (mapped = true) => `\
API version: 0
extensions: 1 1 0
an IOMMU without a group: EINVAL
a group that is not there: ENOENT
the group again: EBUSY
status: 1
a device without a container: EINVAL
a container that is none: EBADFD
no descriptor: EBADF
the container: 0
status: 3
the IOMMU: 0
page sizes: 4096
another name: ENODEV
a name that is nowhere: EFAULT
closed on exec: True
info: 3 9 5
region 0: (3, 4096, 0)
region 1: (${mapped ? 7 : 3}, 16777216, 1099511627776)
region 2: (0, 0, 2199023255552)
region 3: (0, 0, 3298534883328)
region 4: (0, 0, 4398046511104)
region 5: (0, 0, 5497558138880)
region 6: (0, 0, 6597069766656)
region 7: (3, 256, 7696581394432)
region 8: (0, 0, 8796093022208)
interrupt 0: (7, 1)
interrupt 1: (9, 1)
interrupt 2: (9, 0)
interrupt 3: EINVAL
interrupt 4: (9, 1)
a request that is none: ENOTTY
configuration space: de10b81e 05008000
beyond it: EFAULT EINVAL
sizes of base addresses: 00f0ffff080000ff
registers: 564750550100000000000001
${
  mapped
    ? `the file in the mapping: b'through the file'
the mapping in the file: b'last'`
    : 'a mapping: ENODEV'
}
map: 0
map again: EEXIST
map half a page: EINVAL
no bus master: EPERM
load: 0 b'from the process'
store: 0 b'through the file'
copy: 0 b'from the process'
beyond the mapping: EINVAL
all of it: 0 True
pin: 0 16
an eventfd that is none: EINVAL
MSI: 0
none yet: EAGAIN
commands: 0 0 EINVAL
interrupts: 3
interrupts by request: 0 1
INTx beside it: EINVAL
reset: 0 0 0 0
unmap: 65536 0
unmapped: EINVAL
the container while a device is open: EBUSY
the container: 0
the group again: True
`;

/** @param mapped as above; @param node whether the node looks like a character device */
export const cdevSays = (mapped = true, node = true) => `\
${node ? 'node: True True\n' : ''}\
bind to what is no iommufd: EBADFD
before it is bound: EINVAL EINVAL
bind again: EINVAL
the group: EBUSY
bind another: EINVAL
ids: True
attach to what is none: ENOENT
attach: True
info: 3 9 5
registers: 564750550100000000000001
memory: ${mapped ? 7 : 3} 16777216
${mapped ? "the file in the mapping: b'through the file'\n" : ''}\
map: True
map again: EEXIST
load: 0 b'from the process'
store: 0 b'through the file'
not mapped: ENOENT
destroy in use: EBUSY
unmap: True
unmapped: ENOENT
detach: 8
detached: ENOENT
destroy: True
free again: True
`;

/** @param groups numbers of those of its two devices */
export const kvmSays = ([first, second]: readonly string[]) => `\
a device of the VM: anon_inode:kvm-vfio
delete before: ENOENT
add: 0 0
add again: EEXIST
add what is no VFIO file: EINVAL
add no descriptor: EBADF
from nowhere: EFAULT
another attribute: ENXIO
the vm: 2 files
  group ${first}
  group ${second}
delete: 0
delete again: ENOENT
add after that: 0
`;

export const shareSays = `\
16 threads: 800 564750550100000000000001
in a child: 3 9 5
DMA in a child: 0 b'of the parent'
a mapping of the child: 0
its DMA: 0 b'mapped by it'
child: 0
DMA afterwards: 0 b'of the parent'
DMA to memory of who has ended: EPERM
after exec: EBADF EBADF
lost by exec: 0
after exec: (3, 9, 5) b'\\xde\\x10\\xb8\\x1e'
exec: 0
sent: 3 9 5
interrupts: 0 0 1
DMA: 0 b'of the parent'
receiver: 0
the group afterwards: True
`;

export const goneSays = `\
calls that were under way:
read: ENOTCONN
write: ENOTCONN
info: ENOTCONN
set interrupts: ENOTCONN
map: ENOTCONN
a device: ENOSYS
bind: ENOSYS
alloc: ENOTCONN
open: ENOTCONN
mapping: b'kept'
close device: 0
close group: 0
close container: 0
close node: 0
close iommu: 0
another file: 0
`;
