import t from 'tap';
import type { FixtureInput } from '../../src/machine/fixture.js';
import { KVM_CREATE_DEVICE, KVM_CREATE_VM, KVM_SET_DEVICE_ATTR } from '../../src/uapi/kvm.js';
import {
  VFIO_DEVICE_GET_INFO,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_SET_IOMMU,
} from '../../src/uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { errnoOf, Host, uuidOf } from '../pci/host.js';
import { outcome, words } from './opened.js';

const O_RDWR = 2;
const PARENT = '/sys/devices/vfio_ap/matrix';
const TYPE = `${PARENT}/mdev_supported_types/vfio_ap-passthrough`;
const ap: FixtureInput['ap'] = { maxAdapter: 63, maxDomain: 84, adapters: [3, 5], domains: [4, 71] };

/** A host with as many devices, and how to write to the attributes of each. */
function matrix(count: number, change: FixtureInput['ap'] = {}) {
  const host = new Host({
    name: 'x',
    modules: ['vfio_ap', 'kvm_intel', 'vfio_iommu_type1'],
    ap: { ...ap, ...change },
  });
  for (let n = 0; n < count; n++) host.echo(uuidOf(n), `${TYPE}/create`);
  const path = (n: number, name: string) => `${PARENT}/${uuidOf(n)}/${name}`;
  return {
    host,
    write: (n: number, name: string, text: string | number) => host.echoErrno(String(text), path(n, name)),
    show: (n: number, name: string) => host.read(path(n, name)).toString(),
  };
}

t.test('the parent is the device of a bus of its own, with one type', async (t) => {
  const { host } = matrix(1);
  t.equal(host.process.readlink('/sys/class/mdev_bus/matrix'), '../../devices/vfio_ap/matrix');
  t.equal(host.process.readlink(`${PARENT}/subsystem`), '../../../bus/matrix');
  t.equal(host.cat(`${PARENT}/features`), 'guest_matrix hotplug ap_config migratable');
  t.strictSame(host.ls('/sys/bus/matrix/drivers/vfio_ap'), ['matrix', 'uevent'], 'no bind, no unbind');
  t.strictSame(host.ls(TYPE), ['available_instances', 'create', 'device_api', 'devices', 'name']);
  t.equal(host.cat(`${TYPE}/name`), 'VFIO AP Passthrough Device');
  t.equal(host.cat(`${TYPE}/device_api`), 'vfio-ap');
  t.equal(host.cat(`${TYPE}/available_instances`), '65535');
});

t.test('without adapters there is no such module', async (t) => {
  t.equal(
    errnoOf(() => new Host({ name: 'x', modules: ['vfio_ap'] })),
    'ENOENT',
  );
});

t.test('assigned adapters and domains make queues', async (t) => {
  const { write, show } = matrix(1);
  t.equal(show(0, 'matrix'), '');
  t.equal(write(0, 'assign_adapter', 5), undefined);
  t.equal(show(0, 'matrix'), '05.\n');
  write(0, 'assign_adapter', '0x3');
  write(0, 'assign_domain', '004');
  t.equal(show(0, 'matrix'), '03.0004\n05.0004\n');
  write(0, 'assign_domain', 71);
  t.equal(show(0, 'matrix'), '03.0004\n03.0047\n05.0004\n05.0047\n');
  write(0, 'unassign_adapter', 3);
  write(0, 'unassign_adapter', 5);
  t.equal(show(0, 'matrix'), '.0004\n.0047\n');
});

t.test('a guest gets what is assigned and there', async (t) => {
  const { write, show } = matrix(1);
  for (const adapter of [3, 9]) write(0, 'assign_adapter', adapter);
  for (const domain of [4, 5]) write(0, 'assign_domain', domain);
  t.equal(show(0, 'matrix'), '03.0004\n03.0005\n09.0004\n09.0005\n');
  t.equal(show(0, 'guest_matrix'), '03.0004\n');
});

t.test('what is no number is EINVAL, too long ERANGE, too high ENODEV', async (t) => {
  const { write, show } = matrix(1);
  for (const what of ['adapter', 'domain', 'control_domain']) {
    for (const verb of ['assign', 'unassign']) {
      const max = what === 'adapter' ? 63 : 84;
      const results = ['x', '', '-1', '1 2', '0x1ffffffffffffffff', max + 1, max].map((text) =>
        write(0, `${verb}_${what}`, text),
      );
      t.strictSame(
        results,
        ['EINVAL', 'EINVAL', 'EINVAL', 'EINVAL', 'ERANGE', 'ENODEV', undefined],
        `${verb}_${what}`,
      );
    }
  }
  t.equal(show(0, 'matrix'), '');
});

t.test('assigning twice and unassigning what is not assigned succeed', async (t) => {
  const { write, show } = matrix(1);
  t.strictSame([write(0, 'assign_adapter', 5), write(0, 'assign_adapter', 5)], [undefined, undefined]);
  t.equal(show(0, 'matrix'), '05.\n');
  t.equal(write(0, 'unassign_domain', 4), undefined);
});

t.test('a queue belongs to one device; halves of queues to as many as like', async (t) => {
  const { host, write, show } = matrix(2);
  for (const n of [0, 1]) t.equal(write(n, 'assign_adapter', 5), undefined);
  t.equal(write(0, 'assign_domain', 4), undefined);
  t.equal(write(1, 'assign_domain', 4), 'EADDRINUSE');
  t.equal(show(1, 'matrix'), '05.\n', 'nothing stays of what failed');
  t.equal(write(1, 'assign_domain', 71), undefined, 'another queue of the adapter');
  t.equal(write(1, 'ap_config', show(0, 'ap_config').trim()), 'EADDRINUSE');
  host.echo('1', `${PARENT}/${uuidOf(0)}/remove`);
  t.equal(write(1, 'assign_domain', 4), undefined);
});

t.test('queues that the host keeps cannot be assigned', async (t) => {
  const { write, show } = matrix(1, { apmask: '0x04', aqmask: '0x08' });
  t.equal(write(0, 'assign_adapter', 5), undefined, 'an adapter alone is no queue');
  t.equal(write(0, 'assign_domain', 4), 'EADDRNOTAVAIL');
  t.equal(write(0, 'assign_domain', 71), undefined);
  t.equal(show(0, 'matrix'), '05.0047\n');
});

t.test('control domains may be shared', async (t) => {
  const { write, show } = matrix(2);
  for (const n of [0, 1])
    for (const domain of [84, 4]) t.equal(write(n, 'assign_control_domain', domain), undefined);
  t.equal(show(1, 'control_domains'), '0004\n0054\n');
  write(1, 'unassign_control_domain', 4);
  t.equal(show(1, 'control_domains'), '0054\n');
  t.equal(show(0, 'control_domains'), '0004\n0054\n');
});

t.test('ap_config shows three masks and replaces all or nothing', async (t) => {
  const { write, show } = matrix(1);
  const zeros = (digits: string) => `0x${digits.padEnd(64, '0')}`;
  t.equal(show(0, 'ap_config'), `${[zeros(''), zeros(''), zeros('')].join(',')}\n`);
  t.equal(write(0, 'ap_config', '0x14,0x08,0x08'), undefined);
  t.equal(show(0, 'ap_config'), `${[zeros('14'), zeros('08'), zeros('08')].join(',')}\n`);
  t.equal(show(0, 'matrix'), '03.0004\n05.0004\n');
  t.equal(show(0, 'control_domains'), '0004\n');
  const tooHigh = `0x${'0'.repeat(16)}8`;
  for (const [text, errno] of [
    ['0x14,0x08', 'EINVAL'],
    ['14,08,08', 'EINVAL'],
    ['0x14,0x0g,0x08', 'EINVAL'],
    [`0x${'0'.repeat(65)},0x,0x`, 'EINVAL'],
    [`${tooHigh},0x,0x`, 'ENODEV'],
  ] as const) {
    t.equal(write(0, 'ap_config', text), errno, text);
  }
  t.equal(show(0, 'matrix'), '03.0004\n05.0004\n');
});

/** A group of a device, ready to be opened for the VM that is given or for none. */
function users({ host }: ReturnType<typeof matrix>) {
  const { process } = host;
  const memory = process.memory.map(4096);
  const newVm = () => {
    const kvm = process.open('/dev/kvm', O_RDWR);
    const vm = process.ioctl(kvm, KVM_CREATE_VM) as number;
    process.close(kvm);
    const request = words(4, -1, 0);
    process.ioctl(vm, KVM_CREATE_DEVICE, request);
    return request.readInt32LE(4);
  };
  const open = (n: number, vfio?: number) => {
    const number = process
      .readlink(`${PARENT}/${uuidOf(n)}/iommu_group`)
      .split('/')
      .pop();
    const container = process.open('/dev/vfio/vfio', O_RDWR);
    const group = process.open(`/dev/vfio/${number}`, O_RDWR);
    process.ioctl(group, VFIO_GROUP_SET_CONTAINER, words(container));
    process.ioctl(container, VFIO_SET_IOMMU, 3);
    if (vfio !== undefined) {
      process.memory.write(memory, words(group));
      const attr = Buffer.alloc(24);
      attr.writeUInt32LE(1, 4);
      attr.writeBigUInt64LE(1n, 8);
      attr.writeBigUInt64LE(memory, 16);
      process.ioctl(vfio, KVM_SET_DEVICE_ATTR, attr);
    }
    return outcome(
      () => process.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${uuidOf(n)}\0`)) as number,
    );
  };
  return { process, newVm, open };
}

t.test('a device is opened for a VM, and a VM opens one', async (t) => {
  const { newVm, open, process } = users(matrix(4));
  t.equal(open(0), 'EINVAL', 'no VM');
  const vm = newVm();
  const fd = open(1, vm);
  t.type(fd, 'number');
  t.equal(open(2, vm), 'EPERM');
  t.type(open(3, newVm()), 'number', 'another VM');
  process.close(fd as number);
  const again = users(matrix(1));
  t.type(again.open(0, again.newVm()), 'number');
});

t.test('an open device has no regions, one interrupt, and a reset', async (t) => {
  const { newVm, open, process } = users(matrix(1));
  const fd = open(0, newVm()) as number;
  const info = words(16, 0, 9, 9);
  t.equal(process.ioctl(fd, VFIO_DEVICE_GET_INFO, info), 0);
  t.strictSame(info, words(16, 0x21, 0, 1));
  t.equal(process.ioctl(fd, VFIO_DEVICE_RESET), 0);
  const irq = words(16, 0, 0, 0);
  process.ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, irq);
  t.strictSame(irq, words(16, 1, 0, 1));
  t.equal(
    outcome(() => process.ioctl(fd, 0x3b6c, words(32, 0, 0))),
    'EOPNOTSUPP',
  );
});

t.test('the module takes everything away with it', async (t) => {
  const { host } = matrix(2);
  await host.machine.rmmod('vfio_ap');
  t.notOk(host.exists('/sys/devices/vfio_ap'));
  t.notOk(host.exists('/sys/bus/matrix'));
  t.notOk(host.exists('/sys/class/mdev_bus/matrix'));
  t.strictSame(host.ls('/sys/bus/mdev/devices'), []);
});
