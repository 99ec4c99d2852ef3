import t from 'tap';
import { Devtmpfs } from '../../src/base/devtmpfs.js';
import type { CharDevices, OpenDeviceFile } from '../../src/fuse/char-device.js';
import type { KernfsNode } from '../../src/kernfs/node.js';
import { Errno, KernelError } from '../../src/lib/errno.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { type Field, Twin, u32, u64 } from './twin.js';

const ENTRY_ATTR = 40;
const S_IFREG = 0o100000;
const FOPEN_DIRECT_IO = 1;
const FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;
const FOPEN_PASSTHROUGH = 1 << 7;

/** Devices that write down what they are asked. */
class Recorder implements CharDevices {
  readonly calls: string[] = [];
  readonly covered = new Set<string>();
  backing: number | undefined;
  answer: number | Promise<number> = 0;

  open(node: KernfsNode, flags: number): OpenDeviceFile {
    const { calls } = this;
    calls.push(`open ${node.name} ${flags}`);
    if (node.name === 'broken') throw new KernelError(Errno.EBUSY);
    return {
      backing: this.backing,
      read: (length, offset, thread) => {
        calls.push(`read ${length} ${offset} ${thread}`);
        return Buffer.from('abcd');
      },
      write: (bytes, offset, thread) => {
        calls.push(`write ${bytes} ${offset} ${thread}`);
        return bytes.length;
      },
      ioctl: (request, argument, thread) => {
        calls.push(`ioctl ${request.toString(16)} ${argument.toString(16)} ${thread}`);
        return this.answer;
      },
      poll: () => 5,
      release: () => void calls.push(`release ${node.name}`),
    };
  }

  isCovered(node: KernfsNode): boolean {
    return this.covered.has(node.name);
  }
}

function devices() {
  const devtmpfs = new Devtmpfs(() => 1000);
  for (const [minor, name] of ['vfio/vfio', 'vfio/7', 'broken'].entries())
    devtmpfs.createNode(name, { devt: { major: 10, minor }, node: { mode: 0o640 } });
  const recorder = new Recorder();
  const twin = new Twin(devtmpfs.root, undefined, recorder);
  const entry = (dir: number, name: string) => {
    const { error, body } = twin.ask(FuseOp.LOOKUP, dir, name);
    t.equal(error, 0);
    return { nodeid: Number(body.readBigUInt64LE(0)), body };
  };
  const vfio = entry(1, 'vfio').nodeid;
  const open = (nodeid: number): number =>
    Number(twin.ask(FuseOp.OPEN, nodeid, u32(2), u32(0)).body.readBigUInt64LE(0));
  return { devtmpfs, recorder, twin, entry, vfio, open };
}

const readIn = (fh: number, offset: number, size: number): Field[] => [
  u64(fh),
  u64(offset),
  u32(size),
  u32(0),
  u64(0),
  u32(0),
  u32(0),
];
const ioctlIn = (fh: number, command: number, argument: number): Field[] => [
  u64(fh),
  u32(0),
  u32(command),
  u64(argument),
  u32(0),
  u32(0),
];

t.test('each lookup of a node finds a file of its own; a directory, and a covered node, stay', async (t) => {
  const { recorder, twin, entry, vfio } = devices();
  const [first, second] = [entry(vfio, '7'), entry(vfio, '7')];
  t.not(first.nodeid, second.nodeid);
  for (const { nodeid, body } of [first, second]) {
    t.equal(Number(body.readBigUInt64LE(ENTRY_ATTR)), nodeid, 'fdinfo tells the number');
    t.equal(
      body.readUInt32LE(ENTRY_ATTR + 60),
      S_IFREG | 0o640,
      'not a device that the kernel would open by itself',
    );
    t.strictSame(body.subarray(16, 40), Buffer.alloc(24), 'nothing is remembered');
  }
  t.equal(entry(1, 'vfio').nodeid, vfio);
  recorder.covered.add('7');
  t.equal(entry(vfio, '7').nodeid, entry(vfio, '7').nodeid);
  t.equal(twin.errno(FuseOp.LOOKUP, vfio, 'nothing'), Errno.ENOENT);
});

t.test('calls on an open device arrive as they were made', async (t) => {
  const { recorder, twin, entry, vfio, open } = devices();
  const { nodeid } = entry(vfio, '7');
  const fh = open(nodeid);
  t.equal(twin.ask(FuseOp.READ, nodeid, ...readIn(fh, 2 ** 43 + 4, 4)).body.toString(), 'abcd');
  const data = Buffer.from('xyz');
  const header: Field[] = [u64(fh), u64(8), u32(3), u32(0), u64(0), u32(0), u32(0)];
  t.equal(twin.ask(FuseOp.WRITE, nodeid, ...header, data).body.readUInt32LE(0), 3);
  recorder.answer = 7;
  const { body } = twin.ask(FuseOp.IOCTL, nodeid, ...ioctlIn(fh, 0x3b6a, 0x7ffd_1234_5678));
  t.equal(body.length, 16);
  t.equal(body.readInt32LE(0), 7);
  t.equal(twin.ask(FuseOp.POLL, nodeid, u64(fh), u64(1), u32(0), u32(0)).body.readUInt32LE(0), 5);
  t.equal(twin.errno(FuseOp.RELEASE, nodeid, u64(fh), u32(0), u32(0), u64(0)), 0);
  t.strictSame(recorder.calls, [
    'open 7 2',
    `read 4 ${2 ** 43 + 4} 4711`,
    'write xyz 8 4711',
    'ioctl 3b6a 7ffd12345678 4711',
    'release 7',
  ]);
  t.equal(twin.errno(FuseOp.READ, nodeid, ...readIn(fh, 0, 4)), Errno.EBADF);
});

t.test('an open that fails opens nothing; what maps has a file behind it', async (t) => {
  const { recorder, twin, entry, vfio } = devices();
  t.equal(twin.errno(FuseOp.OPEN, entry(1, 'broken').nodeid, u32(2), u32(0)), Errno.EBUSY);
  t.equal(twin.errno(FuseOp.OPEN, vfio, u32(2), u32(0)), Errno.EISDIR);
  const flags = (body: Buffer) => [body.readUInt32LE(8), body.readInt32LE(12)];
  const plain = twin.ask(FuseOp.OPEN, entry(vfio, '7').nodeid, u32(2), u32(0));
  t.strictSame(flags(plain.body), [FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES, 0]);
  recorder.backing = 3;
  const mapped = twin.ask(FuseOp.OPEN, entry(vfio, '7').nodeid, u32(2), u32(0));
  t.strictSame(flags(mapped.body), [FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_PASSTHROUGH, 3]);
  twin.session.chars!.releaseAll();
  t.strictSame(
    recorder.calls.filter((call) => call.startsWith('release')),
    ['release 7', 'release 7'],
  );
});

t.test('a request that sleeps is answered when it wakes up', async (t) => {
  const { recorder, twin, entry, vfio, open } = devices();
  const { nodeid } = entry(vfio, '7');
  const fh = open(nodeid);
  let wake!: (result: number) => void;
  recorder.answer = new Promise((resolve) => {
    wake = resolve;
  });
  const asked = twin.send(FuseOp.IOCTL, nodeid, ...ioctlIn(fh, 1, 2));
  t.equal(twin.reply(asked), undefined);
  wake(9);
  await recorder.answer;
  await Promise.resolve();
  t.equal(twin.reply(asked)?.body.readInt32LE(0), 9);
});

t.test('nodes that come and go are told to nobody, and found or not', async (t) => {
  const { devtmpfs, twin, entry, vfio } = devices();
  const device = { devt: { major: 240, minor: 0 }, node: {} };
  devtmpfs.createNode('vfio/devices/vfio0', device);
  t.ok(entry(entry(vfio, 'devices').nodeid, 'vfio0').nodeid);
  devtmpfs.deleteNode('vfio/devices/vfio0', device);
  t.equal(twin.errno(FuseOp.LOOKUP, vfio, 'devices'), Errno.ENOENT);
  t.strictSame(twin.device.invalidations, []);
});
