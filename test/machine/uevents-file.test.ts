import t from 'tap';
import { Machine } from '../../src/machine/machine.js';

const FILE = '/sys/kernel/debug/mdevfs/uevents';
const O_RDONLY = 0;
const O_WRONLY = 1;
const QUIET = 325;
const NEWS = 335;

function sample() {
  const machine = new Machine();
  machine.modprobe('mtty');
  const process = machine.process();
  const uevent = process.open('/sys/module/mtty/uevent', O_WRONLY);
  const fd = process.open(FILE, O_RDONLY);
  return {
    process,
    fd,
    change: () => process.write(uevent, Buffer.from('change')),
    read: (from = fd, length = 4096) => Buffer.from(process.read(from, length)).toString('latin1'),
    seqnum: () => machine.uevents.seqnum,
  };
}

const block = (seqnum: number) =>
  [
    'change@/module/mtty',
    'ACTION=change',
    'DEVPATH=/module/mtty',
    'SUBSYSTEM=module',
    'SYNTH_UUID=0',
    `SEQNUM=${seqnum}`,
    '',
    '',
  ].join('\n');

t.test('each read takes the events since the last one of its opening', async (t) => {
  const { process, fd, change, read, seqnum } = sample();
  t.equal(read(), '', 'what happened before is not told');
  change();
  const other = process.open(FILE, O_RDONLY);
  change();
  const last = seqnum();
  t.equal(read(), block(last - 1) + block(last));
  t.equal(read(), '');
  t.equal(read(other), block(last));
  process.close(fd);
});

t.test('a short read leaves the rest', async (t) => {
  const { change, read, fd, seqnum } = sample();
  change();
  change();
  const last = seqnum();
  let text = '';
  for (let piece = read(fd, 7); piece !== ''; piece = read(fd, 7)) text += piece;
  t.equal(text, block(last - 1) + block(last));
});

t.test('poll waits for the next event', async (t) => {
  const { process, fd, change, read } = sample();
  read();
  t.equal(process.poll(fd), QUIET);
  change();
  t.equal(process.poll(fd), NEWS);
  read();
  t.equal(process.poll(fd), QUIET);
});

t.test('who does not read for long is told that events were lost', async (t) => {
  const { change, read, fd } = sample();
  for (let n = 0; n < 45_000; n++) change();
  t.throws(() => read(), { code: 'ENOBUFS' });
  let length = 0;
  for (let piece = read(); piece !== ''; piece = read(fd)) length += piece.length;
  t.ok(length > 4_000_000 && length <= 4 * 1024 * 1024);
});

t.test('so many have it open at once, and one that is closed makes room', async (t) => {
  const { process, fd } = sample();
  for (let n = 1; n < 128; n++) process.open(FILE, O_RDONLY);
  t.throws(() => process.open(FILE, O_RDONLY), { code: 'EMFILE' });
  process.close(fd);
  process.open(FILE, O_RDONLY);
});

t.test('events that nobody reads take so much memory in all, and each reader has some of it', async (t) => {
  const { process, fd, change, read } = sample();
  const others = Array.from({ length: 100 }, () => process.open(FILE, O_RDONLY));
  const memory = () => others.reduce((sum, other) => sum + held(other), 0);
  const held = (other: number): number => {
    let size = 0;
    for (;;) {
      try {
        const length = read(other, 1 << 20).length;
        if (length === 0) return size;
        size += length;
      } catch {
        // ENOBUFS, once.
      }
    }
  };
  for (let n = 0; n < 12_000; n++) {
    change();
    read(fd, 1 << 20);
  }
  const all = memory();
  t.ok(all <= 64 * 1024 * 1024 + 100 * 256 * 1024, `${all} bytes wait for 100 readers`);
  change();
  t.not(read(fd), '', 'who reads goes on to hear of everything');
});
