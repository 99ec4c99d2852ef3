import t from 'tap';
import { fixtureFile, Host, uuidOf } from '../pci/host.js';
import { CONFIG, Opened, openSample, outcome } from './opened.js';

const CALLS = 20_000;
const FIRST_REQUEST = 0x3b6b;
const REQUESTS = 16;
const BUS_MASTER = '0600';

/** Numbers that are the same in every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function openVgpu(): Opened {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  host.machine.modprobe('vfio_iommu_type1');
  host.echo(uuidOf(1), '/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222/create');
  return new Opened(host.machine, uuidOf(1));
}

const PLACES = [
  0,
  0x1000,
  0x1500,
  0x2000,
  0x2800,
  0x3000,
  0x402ff0,
  2 ** 40,
  2 ** 40 + 0xfffff0,
  CONFIG,
  2 ** 62,
];
const SIZES = [0, 1, 2, 3, 4, 5, 8, 16, 20, 24, 32, 48, 60, 64, 0x7fffffff, 0x80000000, 0xffffffff];
const SETS = [0x09, 0x0a, 0x0c, 0x11, 0x12, 0x14, 0x21, 0x22, 0x24, 0x04, 0x2c];

for (const type of ['mtty-1', 'mtty-2', 'mdpy-vga', 'mbochs-small', 'vgpu']) {
  t.test(`whatever is asked of ${type}, it answers or fails with an errno`, async (t) => {
    const device = type === 'vgpu' ? openVgpu() : openSample(type);
    const random = randomNumbers(type.length);
    const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
    const eventfd = device.process.eventfd();
    const hex = (length: number) => Buffer.from(Array.from({ length }, () => random(256))).toString('hex');
    const place = () => pick(PLACES) + random(70);
    const request = () => {
      const bytes = Buffer.alloc(4 * random(20));
      for (let n = 0; n < bytes.length; n += 4) {
        bytes.writeUInt32LE(pick([...SIZES, eventfd, device.fd, random(2 ** 32)]), n);
      }
      if (random(2) && bytes.length > 0) bytes.writeUInt32LE(bytes.length);
      return bytes;
    };
    const calls: (() => unknown)[] = [
      () => device.read(random(40), place()),
      () => device.write(hex(random(20)), place()),
      () => device.ioctl(FIRST_REQUEST + random(REQUESTS), request()),
      () => device.setIrqs(random(6), pick(SETS), Buffer.alloc(random(9), pick([0, 1, eventfd])), random(3)),
      () => device.process.munmap(device.process.mmap(device.fd, 3, 1, 4096 * random(4), 4096 * random(5))),
    ];
    device.map(0n, 65536);
    outcome(() => device.write(BUS_MASTER, CONFIG + 4));
    let answered = 0;
    for (let n = 0; n < CALLS; n++) if (!/^E[A-Z]+$/.test(String(outcome(pick(calls))))) answered++;
    t.ok(answered > CALLS / 10, `${answered} of ${CALLS} calls were answered`);
    device.reopen();
    device.unmap(0n, 65536);
    t.equal(device.process.memory.locked, 0, 'no page is held');
  });
}
