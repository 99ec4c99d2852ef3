import t from 'tap';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { fixtureFile, Host, uuidOf } from '../pci/host.js';
import { CONFIG, Opened, outcome, words } from './opened.js';

const GPU = '/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types';
const BAR1 = 2 ** 40;
const MASTER = CONFIG + 4;
const PAGE = 4096;

/** Registers of base address 0. */
const R = {
  id: 0x00,
  scratch: 0x0c,
  source: 0x10,
  destination: 0x18,
  length: 0x20,
  command: 0x24,
  status: 0x28,
  error: 0x2c,
  irqEnable: 0x30,
  irqStatus: 0x34,
  pinned: 0x38,
  unmapped: 0x3c,
} as const;
const [COPY, LOAD, STORE, PIN, UNPIN, POKE] = [1, 2, 3, 4, 5, 6];
const [OK, EPERM, E2BIG, EFAULT, EINVAL] = [0, 1, 7, 14, 22];
const [NONE, EVENTFD, UNMASK, TRIGGER] = [1, 4, 16, 32];
const [INTX, MSI, REQ] = [0, 1, 4];

class Vgpu extends Opened {
  set(register: number, value: number): void {
    this.write(words(value).toString('hex'), register);
  }

  get(register: number): number {
    return Buffer.from(this.read(4, register), 'hex').readUInt32LE();
  }

  /** Runs a command, and returns the errno that it left. */
  run(command: number, { source = 0n, destination = 0n, length = PAGE } = {}): number {
    for (const [register, address] of [
      [R.source, source],
      [R.destination, destination],
    ] as const) {
      this.set(register, Number(address & 0xffffffffn));
      this.set(register + 4, Number(address >> 32n));
    }
    this.set(R.length, length);
    this.set(R.command, command);
    return this.get(R.error);
  }
}

function openVgpu(): { host: Host; vgpu: Vgpu } {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  host.machine.modprobe('vfio_iommu_type1');
  host.echo(uuidOf(1), `${GPU}/nvidia-222/create`);
  const vgpu = new Vgpu(host.machine, uuidOf(1));
  vgpu.write('0600', MASTER);
  return { host, vgpu };
}

t.test('a vGPU is the PCI device that its parent is, with base addresses of its own', async (t) => {
  const { host, vgpu } = openVgpu();
  const parent = '/sys/bus/pci/devices/0000:3b:00.0';
  const id = (name: string) => Number(host.cat(`${parent}/${name}`));
  t.equal(vgpu.read(4, CONFIG), words((id('device') << 16) | id('vendor')).toString('hex'));
  t.equal(
    vgpu.read(4, CONFIG + 0x2c),
    words((id('subsystem_device') << 16) | id('subsystem_vendor')).toString('hex'),
  );
  t.equal(vgpu.read(4, CONFIG + 8), words((id('class') << 8) | id('revision')).toString('hex'));
  vgpu.write('ffffffffffffffff', CONFIG + 0x10);
  t.equal(vgpu.read(12, CONFIG + 0x10), '00f0ffff080000ff00000000');
  t.equal(vgpu.read(4, CONFIG + 0x50), '05008000', 'MSI with 64-bit addresses');
  vgpu.write('01', CONFIG + 0x52);
  t.equal(vgpu.read(4, CONFIG + 0x50), '05008100');
  t.strictSame(vgpu.info(), [3, 9, 5]);
  t.strictSame(
    [0, 1, 2, 7].map((index) => vgpu.region(index)),
    [
      [3, 4096, 0],
      [7, 16 << 20, BAR1],
      [0, 0, 2 * BAR1],
      [3, 256, CONFIG],
    ],
  );
  t.strictSame(
    [0, 1, 2, 3, 4].map((index) => outcome(() => vgpu.irq(index))),
    [[7, 1], [9, 1], [9, 0], 'EINVAL', [9, 1]],
  );
});

t.test('an access ends with its region; at the end and where no region is, it is EINVAL', async (t) => {
  const { vgpu } = openVgpu();
  t.equal(vgpu.read(8, BAR1 + (16 << 20) - 4), '00000000');
  t.equal(vgpu.write('0102030405060708', BAR1 + (16 << 20) - 4), 4);
  for (const offset of [4096, BAR1 + (16 << 20), 2 * BAR1, 9 * BAR1]) {
    t.equal(
      outcome(() => vgpu.read(4, offset)),
      'EINVAL',
    );
  }
  t.equal(
    outcome(() => vgpu.read(4, CONFIG + 253)),
    'EFAULT',
  );
});

t.test('registers and mapping show one memory', async (t) => {
  const { vgpu } = openVgpu();
  const address = vgpu.process.mmap(vgpu.fd, 3, 1, PAGE, BAR1 + PAGE);
  vgpu.write('abcd', BAR1 + PAGE + 5);
  t.equal(vgpu.process.memory.read(address + 5n, 2).toString('hex'), 'abcd');
  for (const offset of [0, BAR1 + (16 << 20), CONFIG]) {
    t.equal(
      outcome(() => vgpu.process.mmap(vgpu.fd, 3, 1, PAGE, offset)),
      'EINVAL',
    );
  }
});

t.test('a register takes whole words, and says what it is', async (t) => {
  const { vgpu } = openVgpu();
  t.equal(vgpu.read(12, R.id), words(0x55504756, 1, 16 << 20).toString('hex'));
  vgpu.set(R.id, 0);
  vgpu.set(R.scratch, 0x12345678);
  vgpu.write('0000', R.scratch);
  t.strictSame([vgpu.get(R.id), vgpu.get(R.scratch)], [0x55504756, 0x12345678]);
  t.equal(vgpu.read(1, R.scratch + 3), '12');
});

t.test('the engine copies within guest memory, and between it and its own', async (t) => {
  const { vgpu } = openVgpu();
  const { memory } = vgpu.process;
  const here = vgpu.map(0x1_0000_0000n, 3 * PAGE);
  const there = vgpu.map(0x8000n, 2 * PAGE);
  const text = Buffer.from('through the IOMMU');
  memory.write(here + 4090n, text);
  const length = text.length;
  t.equal(vgpu.run(COPY, { source: 0x1_0000_0ffan, destination: 0x9001n, length }), OK);
  t.equal(vgpu.get(R.status), 1);
  t.equal(memory.read(there + 4097n, length).toString(), text.toString());
  t.equal(vgpu.run(LOAD, { source: 0x9001n, destination: 100n, length }), OK);
  t.equal(vgpu.read(length, BAR1 + 100), text.toString('hex'));
  t.equal(vgpu.run(STORE, { source: 108n, destination: 0x8000n, length: 9 }), OK);
  t.equal(memory.read(there, 9).toString(), 'the IOMMU');
});

t.test('a command that fails leaves an errno: of the IOMMU, or of the device', async (t) => {
  const { vgpu } = openVgpu();
  vgpu.map(0n, PAGE);
  t.not(vgpu.run(COPY, { source: 0n, destination: 0x100000n }), OK, 'nothing is mapped there');
  t.equal(vgpu.get(R.status), 3);
  vgpu.set(R.status, 2);
  t.equal(vgpu.get(R.status), 1);
  t.equal(vgpu.run(COPY, { length: 0 }), EINVAL);
  t.equal(vgpu.run(COPY, { length: (16 << 20) + 1 }), EINVAL);
  t.equal(vgpu.run(7), EINVAL);
  t.equal(vgpu.run(LOAD, { destination: BigInt((16 << 20) - 4), length: 8 }), EFAULT);
  t.equal(vgpu.run(PIN, { source: 1n }), EINVAL);
  t.equal(vgpu.run(PIN, { length: 513 * PAGE }), E2BIG);
  t.equal(vgpu.run(UNPIN), EINVAL);
  t.equal(vgpu.run(POKE), EFAULT);
  vgpu.write('0200', MASTER);
  t.equal(vgpu.run(COPY), EPERM, 'no bus master');
});

t.test('pages stay pinned until they are unpinned as often, and what is unmapped is let go', async (t) => {
  const { vgpu } = openVgpu();
  const address = vgpu.map(0x10000n, 4 * PAGE);
  t.equal(vgpu.run(PIN, { source: 0x10000n, length: 4 * PAGE }), OK);
  t.equal(vgpu.run(PIN, { source: 0x11000n, length: 1 }), OK);
  t.equal(vgpu.get(R.pinned), 4);
  t.equal(vgpu.run(UNPIN, { source: 0x10000n, length: 2 * PAGE }), OK);
  t.equal(vgpu.get(R.pinned), 3);
  t.equal(vgpu.run(UNPIN, { source: 0x10000n, length: 2 * PAGE }), EINVAL, 'the first one is not pinned');
  t.equal(vgpu.get(R.pinned), 3);
  vgpu.set(R.scratch, 0x04030201);
  t.equal(vgpu.run(POKE, { destination: 0x12ffcn }), OK);
  t.equal(vgpu.process.memory.read(address + 0x2ffcn, 4).toString('hex'), '01020304');
  t.equal(vgpu.run(POKE, { destination: 0x12ffdn }), EFAULT, 'beyond the page');
  vgpu.unmap(0x10000n, 4 * PAGE);
  t.strictSame([vgpu.get(R.pinned), vgpu.get(R.unmapped)], [0, 3]);
  t.equal(vgpu.run(PIN, { source: 0x20000n }) === OK, false, 'nothing is mapped there');
});

t.test('the end of a command interrupts by MSI, or by INTx, which masks itself', async (t) => {
  const { vgpu } = openVgpu();
  vgpu.map(0n, PAGE);
  const [msi, intx] = [vgpu.process.eventfd(), vgpu.process.eventfd()];
  vgpu.setIrqs(MSI, EVENTFD | TRIGGER, words(msi));
  vgpu.run(COPY, { destination: 64n, length: 64 });
  t.equal(vgpu.signals(msi), 0, 'not enabled');
  vgpu.set(R.irqEnable, 1);
  vgpu.run(COPY, { destination: 64n, length: 64 });
  vgpu.run(7);
  t.equal(vgpu.signals(msi), 2, 'a failed one, too');
  t.equal(vgpu.get(R.irqStatus), 1);
  vgpu.set(R.irqStatus, 1);
  t.equal(vgpu.get(R.irqStatus), 0);
  vgpu.setIrqs(MSI, NONE | TRIGGER, undefined, 0);
  vgpu.setIrqs(INTX, EVENTFD | TRIGGER, words(intx));
  vgpu.run(7);
  vgpu.run(7);
  t.equal(vgpu.signals(intx), 1);
  vgpu.setIrqs(INTX, NONE | UNMASK);
  vgpu.run(7);
  t.equal(vgpu.signals(intx), 1);
  t.equal(
    outcome(() => vgpu.setIrqs(2, NONE | TRIGGER)),
    'EINVAL',
    'there is no MSI-X',
  );
});

t.test('INTx is a line that is held until its cause is cleared', async (t) => {
  const { vgpu } = openVgpu();
  vgpu.map(0n, PAGE);
  const [intx, again, msi] = [vgpu.process.eventfd(), vgpu.process.eventfd(), vgpu.process.eventfd()];
  const status = () => Buffer.from(vgpu.read(2, CONFIG + 6), 'hex').readUInt16LE();
  vgpu.setIrqs(INTX, EVENTFD | TRIGGER, words(intx));
  vgpu.run(7);
  t.strictSame([vgpu.signals(intx), status()], [0, 0x10], 'not enabled');
  vgpu.set(R.irqEnable, 1);
  t.equal(vgpu.signals(intx), 0, 'and what ended before does not count');
  vgpu.run(7);
  t.strictSame([vgpu.signals(intx), status()], [1, 0x18], 'the status register tells of it');
  vgpu.setIrqs(INTX, NONE | UNMASK);
  t.equal(vgpu.signals(intx), 1, 'unmasked, it fires again');
  vgpu.set(R.irqEnable, 0);
  vgpu.setIrqs(INTX, NONE | UNMASK);
  t.strictSame([vgpu.signals(intx), status()], [0, 0x10], 'disabled in the device, the line falls');
  vgpu.set(R.irqEnable, 1);
  t.strictSame([vgpu.signals(intx), status()], [1, 0x18]);
  vgpu.setIrqs(INTX, EVENTFD | TRIGGER, words(again));
  t.strictSame([vgpu.signals(again), vgpu.signals(intx)], [1, 0], 'another eventfd hears of it at once');
  vgpu.set(R.irqStatus, 1);
  vgpu.setIrqs(INTX, NONE | UNMASK);
  t.strictSame([vgpu.signals(again), status()], [0, 0x10], 'cleared, it is over');

  vgpu.write('0604', MASTER);
  vgpu.run(7);
  t.strictSame(
    [vgpu.signals(again), status()],
    [0, 0x18],
    'INTx disable holds it back, and the status is true',
  );
  vgpu.setIrqs(INTX, NONE | UNMASK);
  vgpu.setIrqs(INTX, EVENTFD | TRIGGER, words(intx));
  t.equal(vgpu.signals(intx), 0, 'also from who unmasks or arms it');
  vgpu.write('0600', MASTER);
  t.equal(vgpu.signals(intx), 1, 'until it is enabled again');
  vgpu.write('0604', MASTER);
  vgpu.set(R.irqStatus, 1);
  vgpu.write('0600', MASTER);
  vgpu.run(7);
  t.equal(vgpu.signals(intx), 1, 'which unmasks it');

  vgpu.setIrqs(INTX, NONE | TRIGGER, undefined, 0);
  t.equal(status(), 0x18, 'nobody listens');
  vgpu.setIrqs(MSI, EVENTFD | TRIGGER, words(msi));
  t.strictSame([vgpu.signals(msi), status()], [0, 0x10], 'MSI is no level, and not told in the status');
  vgpu.setIrqs(MSI, NONE | TRIGGER, undefined, 0);
  vgpu.setIrqs(INTX, EVENTFD | TRIGGER, words(intx));
  t.equal(vgpu.signals(intx), 1);
  vgpu.ioctl(VFIO_DEVICE_RESET);
  vgpu.setIrqs(INTX, NONE | UNMASK);
  t.strictSame([vgpu.signals(intx), status()], [0, 0x10], 'a reset clears the cause');
});

t.test('who has the device is asked to let it go', async (t) => {
  const { host, vgpu } = openVgpu();
  const request = vgpu.process.eventfd();
  vgpu.setIrqs(REQ, EVENTFD | TRIGGER, words(request));
  vgpu.setIrqs(REQ, NONE | TRIGGER);
  t.equal(vgpu.signals(request), 1, 'it can be tried');
  const removed = host.echo('1', `/sys/bus/mdev/devices/${uuidOf(1)}/remove`);
  t.ok(vgpu.signals(request) > 0);
  vgpu.process.close(vgpu.fd);
  t.equal(await removed, 2);
});

t.test('a reset lets pages go and keeps memory and eventfds; the last close keeps nothing', async (t) => {
  const { vgpu } = openVgpu();
  vgpu.map(0n, PAGE);
  const msi = vgpu.process.eventfd();
  vgpu.setIrqs(MSI, EVENTFD | TRIGGER, words(msi));
  vgpu.write('5a', BAR1);
  vgpu.run(PIN);
  t.equal(vgpu.ioctl(VFIO_DEVICE_RESET), 0);
  t.strictSame([vgpu.get(R.pinned), vgpu.read(2, MASTER), vgpu.read(1, BAR1)], [0, '0000', '5a']);
  vgpu.setIrqs(MSI, NONE | TRIGGER);
  t.equal(vgpu.signals(msi), 1);
  vgpu.write('0600', MASTER);
  vgpu.run(PIN);
  vgpu.reopen();
  t.strictSame([vgpu.get(R.pinned), vgpu.read(1, BAR1)], [0, '00']);
  t.equal(
    outcome(() => vgpu.setIrqs(MSI, NONE | TRIGGER)),
    'EINVAL',
  );
  t.equal(vgpu.process.memory.locked, 0, 'no page is locked any more');
});
