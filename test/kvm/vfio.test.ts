import t from 'tap';
import { type KernelProfile, profiles } from '../../src/base/profile.js';
import { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import {
  KVM_CREATE_DEVICE,
  KVM_CREATE_VM,
  KVM_HAS_DEVICE_ATTR,
  KVM_SET_DEVICE_ATTR,
} from '../../src/uapi/kvm.js';
import { VFIO_GROUP_GET_DEVICE_FD, VFIO_GROUP_SET_CONTAINER, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';

const O_RDWR = 2;
const O_WRONLY = 1;
const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const ADDRESS = 0x10000n;
const [ADD, DEL, SET_TCE] = [1, 2, 3];

const int = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeInt32LE(value, 4 * n);
  return bytes;
};

function machine(profile: KernelProfile = profiles.full) {
  const machine = new Machine({ profile });
  machine.modprobe('kvm_intel');
  machine.modprobe('mtty');
  machine.modprobe('vfio_iommu_type1');
  machine.createMdev('mtty', 'mtty-1', UUID);
  const events: string[] = [];
  machine.uevents.subscribe(({ action, devpath, env }) => {
    if (devpath.endsWith('/kvm'))
      events.push([action, ...env.filter((line) => /^(COUNT|EVENT|CREATED)/.test(line))].join(' '));
  });
  return { machine, process: machine.process(), events };
}

function vm(process: Process): { vm: number; vfio: number } {
  if (!process.memory.isMapped(ADDRESS)) process.memory.map(4096, ADDRESS);
  const kvm = process.open('/dev/kvm', O_RDWR);
  const vm = process.ioctl(kvm, KVM_CREATE_VM) as number;
  process.close(kvm);
  const request = int(4, -1, 0);
  process.ioctl(vm, KVM_CREATE_DEVICE, request);
  return { vm, vfio: request.readInt32LE(4) };
}

function attr(process: Process, vfio: number, number: number, ...data: number[]): number {
  process.memory.write(ADDRESS, int(...data));
  const request = Buffer.alloc(24);
  request.writeUInt32LE(1, 4);
  request.writeBigUInt64LE(BigInt(number), 8);
  request.writeBigUInt64LE(ADDRESS, 16);
  return process.ioctl(vfio, KVM_SET_DEVICE_ATTR, request) as number;
}

t.test('a VM is announced when it is made and when its last file is closed', async (t) => {
  const { process, events } = machine();
  const { vm: fd, vfio } = vm(process);
  t.same(events, ['change CREATED=1 COUNT=1 EVENT=create']);
  t.equal(process.fdPath(fd), 'anon_inode:kvm-vm');
  t.equal(process.fdPath(vfio), 'anon_inode:kvm-vfio');
  process.close(fd);
  t.equal(events.length, 1, 'the VFIO device keeps it');
  process.close(vfio);
  t.equal(events[1], 'change CREATED=1 COUNT=0 EVENT=destroy');
});

t.test('a VM has one VFIO device, and a test for it always succeeds', async (t) => {
  const { process } = machine();
  const { vm: fd } = vm(process);
  t.throws(() => process.ioctl(fd, KVM_CREATE_DEVICE, int(4, -1, 0)), { code: 'EBUSY' });
  t.equal(process.ioctl(fd, KVM_CREATE_DEVICE, int(4, -1, 1)), 0);
  t.throws(() => process.ioctl(fd, KVM_CREATE_DEVICE, int(5, -1, 1)), { code: 'ENODEV' });
});

t.test(
  'a group that a VM holds stays open without its descriptor, and its device can be removed',
  async (t) => {
    const { process, machine: host } = machine();
    const { vm: fd, vfio } = vm(process);
    const group = process.open('/dev/vfio/0', O_RDWR);
    t.throws(() => attr(process, vfio, DEL, group), { code: 'ENOENT' });
    t.equal(attr(process, vfio, ADD, group), 0);
    t.throws(() => attr(process, vfio, ADD, process.dup(group)), { code: 'EEXIST' });
    for (const open of [group, group + 1]) process.close(open);
    t.throws(() => process.open('/dev/vfio/0', O_RDWR), { code: 'EBUSY' });
    process.close(fd);
    t.throws(() => process.open('/dev/vfio/0', O_RDWR), { code: 'EBUSY' });
    process.close(vfio);
    process.close(process.open('/dev/vfio/0', O_RDWR));
    const remove = process.open(`/sys/bus/mdev/devices/${UUID}/remove`, O_WRONLY);
    t.equal(process.write(remove, Buffer.from('1')), 1);
    t.equal(host.iommu.groups.size, 0);
  },
);

t.test('a device that a VM holds blocks its removal until the VFIO device of the VM is closed', async (t) => {
  const { process } = machine();
  const { vm: fd, vfio } = vm(process);
  const device = process.open('/dev/vfio/devices/vfio0', O_RDWR);
  attr(process, vfio, ADD, device);
  process.close(device);
  const remove = process.open(`/sys/bus/mdev/devices/${UUID}/remove`, O_WRONLY);
  let done = false;
  const removal = Promise.resolve(process.write(remove, Buffer.from('1'))).then(() => {
    done = true;
  });
  process.close(fd);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(done, false);
  process.close(vfio);
  await removal;
  t.ok(done);
});

t.test('only files of VFIO are taken', async (t) => {
  const { process } = machine();
  const { vm: fd, vfio } = vm(process);
  for (const other of [fd, vfio, process.open('/dev/vfio/vfio', O_RDWR), process.open('/sys/class/vfio', 0)])
    t.throws(() => attr(process, vfio, ADD, other), { code: 'EINVAL' });
  t.throws(() => attr(process, vfio, ADD, 999), { code: 'EBADF' });
  t.throws(() => attr(process, vfio, DEL, fd), { code: 'ENOENT' });
  t.throws(() => attr(process, vfio, SET_TCE, fd, fd), { code: 'ENXIO' }, 'x86 has no such tables');
});

t.test('another process than the one that made the VM gets EIO', async (t) => {
  const { process } = machine();
  const { vm: fd, vfio } = vm(process);
  const child = process.fork(200);
  t.throws(() => child.ioctl(fd, KVM_CREATE_DEVICE, int(4, -1, 1)), { code: 'EIO' });
  t.throws(() => child.ioctl(vfio, KVM_HAS_DEVICE_ATTR, Buffer.alloc(24)), { code: 'EIO' });
});

t.test('before Linux 6.4 a VM took groups with an IOMMU alone', async (t) => {
  const { process } = machine(profiles.legacy);
  const { vfio } = vm(process);
  const group = process.open('/dev/vfio/0', O_RDWR);
  t.throws(() => attr(process, vfio, ADD, group), { code: 'EINVAL' }, 'no container');
  const container = process.open('/dev/vfio/vfio', O_RDWR);
  process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(container));
  t.throws(() => attr(process, vfio, ADD, group), { code: 'EINVAL' }, 'no IOMMU');
  process.ioctl(container, VFIO_SET_IOMMU, 1);
  const device = process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${UUID}\0`)) as number;
  t.throws(() => attr(process, vfio, ADD, device), { code: 'EINVAL' }, 'a device');
  t.equal(attr(process, vfio, ADD, group), 0);
});

t.test('on a pSeries a table of DMA addresses goes with a group of the VM', async (t) => {
  const { process } = machine({ ...profiles.full, arch: 'ppc64le' });
  const { vm: fd, vfio } = vm(process);
  const request = Buffer.alloc(32);
  request.writeBigUInt64LE(0x80000000n, 0);
  request.writeUInt32LE(12, 8);
  request.writeBigUInt64LE(0x40000n, 24);
  const table = process.ioctl(fd, 0x4020aea8, request) as number;
  t.throws(() => process.ioctl(fd, 0x4020aea8, request), { code: 'EBUSY' });
  const group = process.open('/dev/vfio/0', O_RDWR);
  t.throws(() => attr(process, vfio, SET_TCE, group, table), { code: 'ENOENT' }, 'not added yet');
  attr(process, vfio, ADD, group);
  t.throws(() => attr(process, vfio, SET_TCE, group, 999), { code: 'EBADF' });
  t.throws(() => attr(process, vfio, SET_TCE, group, group), { code: 'EINVAL' });
  t.equal(attr(process, vfio, SET_TCE, group, table), 0);
});

t.test('an open device keeps the VM that it was opened for', async (t) => {
  const { process, events } = machine();
  const { vm: fd, vfio } = vm(process);
  const group = process.open('/dev/vfio/0', O_RDWR);
  attr(process, vfio, ADD, group);
  const container = process.open('/dev/vfio/vfio', O_RDWR);
  process.ioctl(group, VFIO_GROUP_SET_CONTAINER, int(container));
  process.ioctl(container, VFIO_SET_IOMMU, 1);
  const device = process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${UUID}\0`)) as number;
  process.close(fd);
  process.close(vfio);
  t.equal(events.length, 1);
  process.close(device);
  t.equal(events[1], 'change CREATED=1 COUNT=0 EVENT=destroy');
});
