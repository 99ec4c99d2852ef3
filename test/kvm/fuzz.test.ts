import t from 'tap';
import { KernelError } from '../../src/lib/errno.js';
import { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import { uuidOf } from '../mdev/machine.js';

const O_RDWR = 2;
const CALLS = 100_000;
const MEMORY = 0x10000n;
const modules = ['mtty', 'mbochs', 'mdpy', 'mdev', 'vfio_iommu_type1', 'vfio', 'iommufd', 'kvm_intel', 'kvm'];

/** Requests of every kind of file, those that exist and some that do not. */
const requests = [
  ...Array.from({ length: 24 }, (_, n) => 0x3b64 + n),
  ...Array.from({ length: 16 }, (_, n) => 0x3b80 + n),
  ...[0xae00, 0xae01, 0xae03, 0xae04, 0xc00caee0, 0x4018aee1, 0x4018aee2, 0x4018aee3, 0x3bff],
];
const paths = [
  ...['/dev/vfio/vfio', '/dev/iommu', '/dev/kvm'],
  ...[0, 1, 2].flatMap((n) => [`/dev/vfio/${n}`, `/dev/vfio/devices/vfio${n}`]),
];

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** One random call. @throws whatever the call throws */
function call(process: Process, fds: number[], next: (below: number) => number): void {
  const fd = fds[next(fds.length)] ?? 3;
  switch (next(16)) {
    case 0:
      fds.push(process.open(paths[next(paths.length)]!, O_RDWR));
      return;
    case 1:
      if (fds.length > 24) process.close(fds.splice(next(fds.length), 1)[0]!);
      return;
    case 2:
      fds.push(process.eventfd());
      return;
    case 3:
      process.pread(fd, next(9), next(2) * 7 * 2 ** 40 + next(300));
      return;
    case 4:
      process.pwrite(fd, Buffer.alloc(1 + next(8), next(256)), next(2) * 7 * 2 ** 40 + next(300));
      return;
  }
  const argument = Buffer.alloc(8 + 4 * next(16));
  for (let at = 0; at + 4 <= argument.length; at += 4) {
    const kinds = [
      0,
      argument.length,
      next(8),
      fds[next(fds.length)] ?? 0,
      next(2 ** 24) * 4096,
      0xffffffff,
      0x10000,
    ];
    argument.writeUInt32LE(kinds[next(kinds.length)]! >>> 0, at);
  }
  if (next(3) > 0) argument.writeUInt32LE(argument.length, 0);
  if (next(4) === 0) argument.write(`${uuidOf(next(3))}\0`.slice(0, argument.length));
  const request = requests[next(requests.length)]!;
  const result = process.ioctl(fd, request, next(8) === 0 ? next(10) : argument);
  const installs = [0xae01, 0x3b6a].includes(request);
  if (installs && typeof result === 'number') fds.push(result);
  if (request === 0xc00caee0 && argument.readInt32LE(4) > 2) fds.push(argument.readInt32LE(4));
}

for (const seed of [1, 2]) {
  t.test(`random calls on every kind of file leave nothing behind, seed ${seed}`, async (t) => {
    const machine = new Machine();
    for (const name of ['kvm_intel', 'vfio_iommu_type1', 'mtty', 'mbochs', 'mdpy']) machine.modprobe(name);
    for (const [n, type] of ['mtty/mtty-2', 'mbochs/mbochs-small', 'mdpy/mdpy-vga'].entries())
      machine.createMdev(...(type.split('/') as [string, string]), uuidOf(n));
    const process = machine.process();
    process.memory.map(0x10000, MEMORY);
    const next = random(seed);
    const fds = paths.map((path) => {
      try {
        return process.open(path, O_RDWR);
      } catch {
        return 3;
      }
    });
    let [worked, refused] = [0, 0];
    for (let n = 0; n < CALLS / 2; n++) {
      try {
        call(process, fds, next);
        worked++;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        refused++;
      }
    }
    t.comment(`${worked} calls worked, ${refused} were refused`);
    t.ok(worked > CALLS / 20 && refused > CALLS / 20);
    process.exit();
    t.equal(process.memory.locked, 0);
    const shell = machine.process();
    for (const ledger of ['containers', 'ioas', 'vms', 'holders'])
      t.same(shell.read(shell.open(`/sys/kernel/debug/mdevfs/${ledger}`, 0), 4096), Buffer.alloc(0), ledger);
    for (const name of modules) t.equal(machine.rmmod(name), undefined, `${name} is free`);
    t.equal(machine.iommu.groups.size, 0);
  });
}
