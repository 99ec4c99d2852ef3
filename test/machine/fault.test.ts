import t from 'tap';
import { asleep } from '../../src/lib/sleep.js';
import { checkFixture, FixtureError } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import * as kvm from '../../src/uapi/kvm.js';
import { errnoOf, Host, q35, uuidOf } from '../pci/host.js';
import { FAIL, Faulty, TYPE, UUID } from './faulty.js';
import { StoppedClock } from './stopped-clock.js';

const DEVICE = `/sys/bus/mdev/devices/${UUID}`;
const mtty = () => new Faulty(['mtty']);

t.test('a rule without matches asks nobody, and none costs nothing', async (t) => {
  const { machine } = mtty();
  const { root } = machine.sysfs;
  t.equal(root.faults, undefined);
  t.equal(machine.core.faults, undefined);
  const id = machine.faults.add({ op: 'read', path: 'name', errno: 'EIO', times: 1 });
  t.equal(root.faults, machine.faults);
  machine.faults.clear(id);
  t.equal(root.faults, undefined);
});

t.test('a file fails by its name, its path, a path by way of links, a pattern', async (t) => {
  const patterns: [string, string | undefined][] = [
    ['available_instances', 'EIO'],
    ['avail*', 'EIO'],
    ['[!a]*', undefined],
    ['name', undefined],
    ['devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/available_instances', 'EIO'],
    ['/sys/devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/available_instances', 'EIO'],
    ['class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances', 'EIO'],
    ['class/mdev_bus/*/mdev_supported_types/*/available_instances', 'EIO'],
    ['class/mdev_bus/*/mdev_supported_types/mtty-2/available_instances', undefined],
    ['class/mtty/*/mdev_supported_types/mtty-?/*', 'EIO'],
    [`bus/mdev/devices/${UUID}/mdev_type/available_instances`, 'EIO'],
    ['bus/mdev/devices/83b8*/mdev_type/available_instances', undefined],
    ['devices/**', 'EIO'],
    ['**/mtty-1/available_instances', 'EIO'],
    ['**/mtty-2/*', undefined],
    ['class/**', undefined],
    ['class/mdev_bus/mtty/**/available_instances', 'EIO'],
    ['/dev/vfio/vfio', undefined],
    ['mtty-1/available_instances', undefined],
  ];
  for (const [path, errno] of patterns) {
    const sh = mtty();
    sh.write(`${TYPE}/create`, UUID);
    sh.fail(`op=read path=${path} errno=EIO`);
    t.equal(sh.readErrno(`${TYPE}/available_instances`), errno, path);
  }
});

t.test('a device, its parent and its driver choose among the files of devices', async (t) => {
  const results: [string, string | undefined, string | undefined][] = [
    ['device=83b8*', 'EIO', undefined],
    ['device=83b8* path=sample_mdev_dev', 'EIO', undefined],
    ['device=83b8* path=name', undefined, undefined],
    ['device=mtty', undefined, 'EIO'],
    ['parent=mtty', 'EIO', undefined],
    ['driver=mtty', 'EIO', undefined],
    ['driver=mtty parent=mdpy', undefined, undefined],
  ];
  for (const [selector, ofDevice, ofType] of results) {
    const sh = mtty();
    sh.write(`${TYPE}/create`, UUID);
    sh.fail(`op=read ${selector} errno=EIO`);
    t.equal(sh.readErrno(`${DEVICE}/vendor/sample_mdev_dev`), ofDevice, selector);
    t.equal(sh.readErrno(`${TYPE}/name`), ofType, selector);
  }
});

t.test('times, interval, probability and seed say when', async (t) => {
  const sequence = (rule: string): string => {
    const sh = mtty();
    sh.fail(`op=open path=name errno=EIO ${rule}`);
    return Array.from({ length: 12 }, () => (sh.readErrno(`${TYPE}/name`) ? 'x' : '.')).join('');
  };
  t.equal(sequence(''), 'xxxxxxxxxxxx');
  t.equal(sequence('times=3'), 'xxx.........');
  t.equal(sequence('interval=4'), '...x...x...x');
  t.equal(sequence('interval=4 times=2'), '...x...x....');
  const half = sequence('probability=50 seed=7');
  t.match(half, /x.*\..*x|\..*x.*\./);
  t.equal(sequence('probability=50 seed=7'), half, 'the seed decides');
  t.not(sequence('probability=50 seed=8'), half);
});

t.test(
  'rules are listed with their hits, the oldest that strikes counts, and they go one by one',
  async (t) => {
    const sh = mtty();
    sh.write(
      FAIL,
      'path=name op=read errno=EIO times=1\nop=read,write path="na me*" log="it is \\"so\\"" errno=EPERM\n',
    );
    sh.fail('op=read path=name errno=ENODEV');
    t.equal(sh.readErrno(`${TYPE}/name`), 'EIO');
    t.equal(sh.readErrno(`${TYPE}/name`), 'ENODEV', 'the first is spent');
    t.equal(
      sh.read(FAIL),
      '1: op=read path=name errno=EIO times=1 hits=1\n' +
        '2: op=read,write path="na me*" errno=EPERM log="it is \\"so\\"" hits=0\n' +
        '3: op=read path=name errno=ENODEV hits=1\n',
    );
    sh.fail('clear 3');
    t.equal(sh.readErrno(`${TYPE}/name`), undefined);
    t.equal(sh.writeErrno(FAIL, 'clear 3'), 'ENOENT');
    t.equal(sh.log, 'mdevfs: fail: there is no rule 3');
    sh.fail('clear');
    t.equal(sh.read(FAIL), '');
  },
);

t.test('what makes no sense is refused, nothing of it is done, and the log says why', async (t) => {
  const sh = mtty();
  const refused: [string, string][] = [
    ['nonsense', 'expected KEY=VALUE, "clear" or "clear ID", got "nonsense"'],
    ['path=name errno=EIO', 'op: expected a string, got nothing'],
    [
      'op=raed path=name errno=EIO',
      'op: expected some of open, read, write, mmap, ioctl, probe, remove, with commas between them, got "raed" (did you mean "read"?)',
    ],
    [
      'op=read,wirte path=name errno=EIO',
      'op: expected some of open, read, write, mmap, ioctl, probe, remove, with commas between them, got "wirte" (did you mean "write"?)',
    ],
    ['po=read path=name errno=EIO', 'po: unknown key (did you mean "op"?)'],
    ['op=read path=name errno=EIO errno=EPERM', 'errno: expected once, got "EPERM" too'],
    [
      'op=read path=name errno=eio',
      'errno: expected the name of an errno, such as EBUSY, got "eio" (did you mean "EIO"?)',
    ],
    [
      'op=read path=name errno=toString',
      'errno: expected the name of an errno, such as EBUSY, got "toString"',
    ],
    [
      'op=ioctl device=x request=VFIO_DEVICE_REST errno=EIO',
      'request: expected a request of an ioctl, such as VFIO_DEVICE_RESET or 0x3b6f, got "VFIO_DEVICE_REST" (did you mean "VFIO_DEVICE_RESET"?)',
    ],
    ['clear abc', 'expected the number of one rule, got "abc"'],
    ['clear 1 2', 'expected the number of one rule, got "1 2"'],
    ['claer', 'expected KEY=VALUE, "clear" or "clear ID", got "claer" (did you mean "clear"?)'],
    ['op=read path=name', 'errno: expected at least one of errno, delay, short, got nothing'],
    ['op=read errno=EIO', 'path: expected at least one of path, device, parent, driver, got nothing'],
    ['op=read path=name errno=EFOO', 'errno: expected the name of an errno, such as EBUSY, got "EFOO"'],
    ['op=read path=name errno=EIO tims=3', 'tims: unknown key (did you mean "times"?)'],
    ['op=read path=name delay=long', 'delay: expected a number, got "long"'],
    ['op=read path=name errno=EIO short=1', 'short: expected none, since there is an errno, got 1'],
    ['op=open path=name short=1', 'short: expected none, since only read and write can be short, got 1'],
    [
      'op=write path=create short=0',
      'short: expected at least 1 for a write, which would be tried for ever, got 0',
    ],
    ['op=mmap device=x delay=5', 'delay: expected none, since mmap does not wait, got 5'],
    [
      'op=probe path=name errno=EIO',
      'path: expected none, since probe has no file; use device, parent or driver, got "name"',
    ],
    [
      'op=read path=/etc/passwd errno=EIO',
      'path: expected a path below /sys or /dev, or a name, got "/etc/passwd"',
    ],
    [
      'op=ioctl device=x request=VFIO_FOO errno=EIO',
      'request: expected a request of an ioctl, such as VFIO_DEVICE_RESET or 0x3b6f, got "VFIO_FOO"',
    ],
    [
      'op=read path=x request=VFIO_DEVICE_RESET errno=EIO',
      'request: expected none, since read has no request, got "VFIO_DEVICE_RESET"',
    ],
    ['op=read path=name errno=EIO log="a', 'expected a closing quotation mark'],
    ['op=read path=name errno=EIO probability=0', 'probability: expected more than 0, got 0'],
  ];
  for (const [line, why] of refused) {
    t.equal(sh.writeErrno(FAIL, `op=read path=uevent errno=EIO\n${line}\n`), 'EINVAL', line);
    t.equal(sh.log, `mdevfs: fail: ${why}`);
  }
  t.equal(sh.read(FAIL), '');
});

t.test('reads and writes can be short', async (t) => {
  const sh = mtty();
  sh.fail('op=read path=name short=3 times=2');
  const fd = sh.process.open(`${TYPE}/name`, 0);
  t.same(
    [1, 2, 3].map(() => Buffer.from(sh.process.read(fd, 4096)).toString()),
    ['Sin', 'gle', ' port serial\n'],
  );
  sh.fail('op=read path=name short=0 times=1');
  t.equal(sh.read(`${TYPE}/name`), '');
  sh.fail('op=write path=create short=5 times=1');
  t.equal(sh.write(`${TYPE}/create`, UUID), 5, 'the result is short; the driver has got all of it');
  t.ok(sh.process.exists(DEVICE));
});

t.test('a delayed write sleeps, and everybody else goes on', async (t) => {
  const sh = mtty();
  sh.fail('op=write path=create delay=20 times=1');
  const written = sh.write(`${TYPE}/create`, UUID);
  if (!asleep(written)) return t.fail('should sleep');
  t.notOk(sh.process.exists(DEVICE));
  t.equal(sh.read(`${TYPE}/available_instances`), '24\n');
  t.equal(await written, 36);
  t.ok(sh.process.exists(DEVICE));
  sh.fail('op=write path=create delay=20 errno=EIO');
  await t.rejects(Promise.resolve(sh.write(`${TYPE}/create`, uuidOf(2))), { code: 'EIO' });
});

t.test('a probe that fails undoes everything, and create fails with its errno', async (t) => {
  for (const modules of [['mtty'], ['mdpy']]) {
    const sh = new Faulty(modules);
    const [parent] = modules;
    const dir = `/sys/class/mdev_bus/${parent}/mdev_supported_types`;
    const type = `${dir}/${sh.process.list(dir).sort()[0]}`;
    const before = sh.read(`${type}/available_instances`);
    const events: string[] = [];
    sh.machine.uevents.subscribe(({ action, devpath }) =>
      events.push(`${action}@${devpath.split('/').at(-1)}`),
    );
    sh.fail(`op=probe driver=${parent} errno=EREMOTEIO times=1`);
    t.equal(sh.writeErrno(`${type}/create`, UUID), 'EREMOTEIO');
    t.equal(sh.log, `${parent} ${UUID}: probe with driver ${parent} failed with error -121`);
    t.strictSame(events, [`add@${UUID}`, `remove@${UUID}`]);
    t.equal(sh.read(`${type}/available_instances`), before);
    t.notOk(sh.process.exists(DEVICE));
    t.strictSame(sh.process.list('/sys/kernel/iommu_groups'), []);
    sh.write(`${type}/create`, UUID);
    t.ok(sh.process.exists(DEVICE), 'it was once only');
  }
});

t.test(
  'while a probe takes its time the device is there, without its type, and cannot be removed',
  async (t) => {
    const sh = mtty();
    sh.fail('op=probe device=83b8* delay=20');
    const created = sh.write(`${TYPE}/create`, UUID);
    if (!asleep(created)) return t.fail('should sleep');
    t.ok(sh.process.exists(DEVICE));
    t.notOk(sh.process.exists(`${DEVICE}/mdev_type`));
    t.equal(sh.writeErrno(`${DEVICE}/remove`, '1'), 'EAGAIN');
    const gone = sh.machine.rmmod('mtty');
    t.ok(asleep(gone), 'the parent waits for the creation');
    t.equal(await created, 36);
    await gone;
    t.notOk(sh.process.exists('/sys/class/mdev_bus/mtty'));
    t.notOk(sh.process.exists(DEVICE));
  },
);

t.test('a driver that fails remove keeps the device, as in older kernels', async (t) => {
  const sh = mtty();
  sh.write(`${TYPE}/create`, UUID);
  sh.fail(
    'op=remove device=83b8* errno=EBUSY times=2 log="mtty: device is active, hot unplug is not supported"',
  );
  t.equal(sh.writeErrno(`${DEVICE}/remove`, '1'), 'EBUSY');
  t.equal(sh.log, 'mtty: device is active, hot unplug is not supported');
  t.equal(sh.writeErrno(`${DEVICE}/remove`, '0'), undefined);
  t.equal(sh.writeErrno(`${DEVICE}/remove`, 'x'), 'EINVAL');
  t.ok(sh.process.exists(`${DEVICE}/mdev_type`));
  t.equal(sh.read(`${TYPE}/available_instances`), '23\n');
  sh.machine.rmmod('mtty');
  t.notOk(sh.process.exists(DEVICE), 'where nobody takes an errno, the device goes');
  t.match(
    sh.machine.core.log.lines.join('\n'),
    `mtty ${UUID}: remove of driver mtty failed with error -16, ignored`,
  );
});

t.test('a slow remove has its file gone and its device there', async (t) => {
  const sh = mtty();
  sh.write(`${TYPE}/create`, UUID);
  sh.fail('op=remove driver=mtty delay=20');
  const removed = sh.write(`${DEVICE}/remove`, '1');
  if (!asleep(removed)) return t.fail('should sleep');
  t.ok(sh.process.exists(DEVICE));
  t.notOk(sh.process.exists(`${DEVICE}/remove`));
  t.equal(await removed, 1);
  t.notOk(sh.process.exists(DEVICE));
});

t.test('unbind, a PCI probe and a rescan ask too', async (t) => {
  const host = new Host(q35());
  const card = '/sys/bus/pci/devices/0000:01:00.0';
  const { faults, core } = host.machine;
  host.machine.modprobe('vgpu_oracle');
  host.echo('vgpu', `${card}/driver_override`);
  faults.add({ op: 'probe', driver: 'vgpu', errno: 'EIO', times: 1 });
  host.echo('0000:01:00.0', '/sys/bus/pci/drivers_probe');
  t.match(core.log.lines.at(-1), '0000:01:00.0: probe with driver vgpu failed with error -5');
  t.notOk(host.exists(`${card}/driver`));
  t.notOk(host.exists(`${card}/mdev_supported_types`));
  faults.add({ op: 'probe', device: '0000:01:*', delay: 10, times: 1 });
  await host.echo('0000:01:00.0', '/sys/bus/pci/drivers_probe');
  t.ok(host.exists(`${card}/mdev_supported_types`), 'the writer waits until it is probed');
  faults.add({ op: 'remove', device: '0000:01:*', errno: 'EBUSY', times: 1 });
  host.echo('0000:01:00.0', '/sys/bus/pci/drivers/vgpu/unbind');
  t.match(
    core.log.lines.join('\n'),
    'vgpu 0000:01:00.0: remove of driver vgpu failed with error -16, ignored\nvgpu 0000:01:00.0: MDEV: Unregistering',
  );
  t.notOk(host.exists(`${card}/driver`));
  faults.add({ op: 'probe', driver: 'vgpu', delay: 10, times: 1 });
  const bound = host.echo('0000:01:00.0', '/sys/bus/pci/drivers/vgpu/bind');
  t.ok(asleep(bound));
  const unbound = host.echo('0000:01:00.0', '/sys/bus/pci/drivers/vgpu/unbind');
  t.ok(asleep(unbound), 'in turn');
  await bound;
  await unbound;
  t.notOk(host.exists(`${card}/driver`));
});

t.test('a module whose probe takes its time is loaded at once, and has its device later', async (t) => {
  const clock = new StoppedClock();
  const host = new Host(q35(), { clock });
  host.machine.faults.add({ op: 'probe', driver: 'e1000e', delay: 10 });
  host.machine.modprobe('e1000e');
  t.notOk(host.exists('/sys/class/net/eth1'));
  await clock.pass(10);
  t.ok(host.exists('/sys/class/net/eth1'));
});

t.test('open devices fail by what they are, and by their requests', async (t) => {
  const sh = new Faulty(['mtty', 'vfio_iommu_type1', 'kvm_intel']);
  const { process } = sh;
  sh.write(`${TYPE}/create`, UUID);
  const errno = (rule: string, call: () => unknown) => {
    sh.fail(`${rule} times=1`);
    const failed = errnoOf(call);
    t.match(sh.read(FAIL), /hits=1\n$/, rule);
    sh.fail('clear');
    return failed;
  };
  t.equal(
    errno('op=open path=/dev/vfio/0 errno=EIO', () => process.open('/dev/vfio/0', 2)),
    'EIO',
  );
  t.equal(
    errno('op=open path=/dev/vfio/* errno=EPERM', () => process.open('/dev/vfio/vfio', 2)),
    'EPERM',
  );
  const kvmFile = process.open('/dev/kvm', 2);
  const create = () => process.ioctl(kvmFile, kvm.KVM_CREATE_VM);
  t.equal(errno('op=ioctl path=/dev/kvm request=KVM_CREATE_VM errno=ENOMEM', create), 'ENOMEM');
  t.equal(errno('op=ioctl path=kvm request=0xae01 errno=ENOMEM', create), 'ENOMEM');
  const vm = create() as number;
  t.equal(
    errno('op=ioctl path=anon_inode:kvm-vm errno=EIO', () => process.ioctl(vm, kvm.KVM_CHECK_EXTENSION, 1)),
    'EIO',
  );
  const write = () => sh.write('/sys/kernel/debug/mdevfs/attach', UUID);
  const requests = [
    'KVM_CREATE_DEVICE',
    'KVM_SET_DEVICE_ATTR',
    'VFIO_SET_IOMMU',
    'VFIO_IOMMU_MAP_DMA',
    'VFIO_GROUP_SET_CONTAINER',
    'VFIO_GROUP_GET_DEVICE_FD',
  ];
  for (const request of requests)
    t.equal(errno(`op=ioctl path=* request=${request} errno=ETIMEDOUT`, write), 'ETIMEDOUT', request);
  t.equal(errno('op=ioctl device=83b8* errno=EIO', write), 'EIO', 'the group is about its device');
  sh.fail('op=ioctl path=/dev/vfio/vfio request=VFIO_IOMMU_MAP_DMA delay=10 times=1');
  const attached = write();
  t.ok(asleep(attached));
  t.equal(await attached, 36);
});

t.test('reads, writes and mappings of a device fail, or are short', async (t) => {
  const sh = new Faulty(['mdpy', 'vfio_iommu_type1']);
  const type = '/sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-vga';
  sh.write(`${type}/create`, UUID);
  const { Attachment, parseAttachment } = await import('../../src/machine/attachment.js');
  const attachment = Attachment.start(sh.machine, parseAttachment(UUID));
  if (asleep(attachment)) return t.fail('should not sleep');
  const { process, device } = attachment;
  const CONFIG = 0;
  t.equal(process.pread(device, 4, CONFIG).length, 4);
  sh.fail('op=read device=83b8* errno=EIO times=1\nop=read device=83b8* short=2 times=1');
  t.throws(() => process.pread(device, 4, CONFIG), { code: 'EIO' });
  t.equal(process.pread(device, 4, CONFIG).length, 2);
  sh.fail('op=write driver=mdpy errno=EIO times=1\nop=write driver=mdpy short=2 times=1');
  t.throws(() => process.pwrite(device, Buffer.alloc(4), CONFIG + 0x10), { code: 'EIO' });
  t.equal(process.pwrite(device, Buffer.alloc(4), CONFIG + 0x10), 2);
  sh.fail('op=mmap parent=mdpy errno=ENOMEM times=1');
  t.throws(() => process.mmap(device, 3, 1, 4096, 4096), { code: 'ENOMEM' });
  t.ok(process.mmap(device, 3, 1, 4096, 4096));
  attachment.end();
});

t.test('the control files never fail, so that rules can be taken back', async (t) => {
  const sh = mtty();
  sh.fail('op=open,read,write path=** errno=EIO');
  t.equal(sh.readErrno('/sys/kernel/uevent_seqnum'), 'EIO');
  t.match(sh.read(FAIL), 'path=**');
  sh.fail('clear');
  t.match(sh.read('/sys/kernel/uevent_seqnum'), /^\d+\n$/);
});

t.test('a fixture has rules, in force when its modules are loaded', async (t) => {
  const fixture = {
    name: 'faulty',
    modules: ['mtty'],
    mdevs: [{ uuid: UUID, parent: 'mtty', type: 'mtty-1' }],
    faults: [
      { op: 'remove', device: '83b8*', errno: 'EBUSY', log: 'no' },
      { op: 'probe', device: '83b8*', delay: 10 },
    ],
  };
  const clock = new StoppedClock();
  const machine = Machine.fromFixture(checkFixture(fixture, 'test'), { clock });
  const process = machine.process();
  t.notOk(process.exists(`${DEVICE}/mdev_type`));
  await clock.pass(10);
  t.ok(process.exists(`${DEVICE}/mdev_type`));
  t.throws(() => process.write(process.open(`${DEVICE}/remove`, 1), Buffer.from('1')), { code: 'EBUSY' });
  t.throws(
    () => checkFixture({ ...fixture, faults: [{ op: 'reed', path: 'x', errno: 'EIO' }] }, 'host.json'),
    new FixtureError([
      'host.json: faults[0].op: expected some of open, read, write, mmap, ioctl, probe, remove, with commas between them, got "reed" (did you mean "read"?)',
    ]),
  );
});

t.test('so many rules a machine has, and no more', async (t) => {
  const machine = new Machine();
  const rule = { op: 'read', path: 'name', errno: 'EIO' } as const;
  for (let n = 0; n < 4096; n++) machine.faults.add(rule);
  t.throws(() => machine.faults.add(rule), { code: 'ENOSPC' });
  const process = machine.process();
  const fd = process.open('/sys/kernel/debug/mdevfs/fail', 1);
  await t.rejects(async () => process.write(fd, Buffer.from('op=read path=name errno=EIO')), {
    code: 'ENOSPC',
  });
});
