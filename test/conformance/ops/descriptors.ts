/**
 * Operations on open files.
 * @module
 */

import { Errno } from '../../../src/lib/errno.js';
import { parseOpenFlags, parseWhence } from '../flags.js';
import type { Run } from '../run.js';
import { recordedStat, typeOf } from '../stat.js';
import { type SysDirent, SysError } from '../sys.js';
import { bytesOf, entriesOf, type Operations, pathOf } from './operation.js';

/** Length of the short reads that recordings make without saying how long they were. */
const SHORT_READ = 10;

export const descriptorOperations: Operations = {
  open(run, operands) {
    const { step, args } = operands;
    const fd = run.sys.open(
      pathOf(operands),
      parseOpenFlags(args.flags ?? 'O_RDONLY'),
      Number(args.mode ?? 0o777),
    );
    const name = typeof step.ret === 'string' ? step.ret : undefined;
    if (name) run.name(name, fd);
    else run.sys.close(fd);
    return name ?? 'a descriptor';
  },
  close(run, { args }) {
    // Files without a name go by the recorder's number.
    const name = typeof args.fd === 'number' ? run.recorder.name(args.fd) : args.fd;
    run.sys.close(run.fd(name));
    run.forget(name);
  },
  read: (run, { args }) => run.sys.read(run.fd(args.fd), Number(args.n)),
  pread: (run, { args }) => run.sys.pread(run.fd(args.fd), Number(args.n), Number(args.off)),
  readv(run, { args }) {
    const sizes = args.sizes as number[];
    const pieces = run.sys.readv(run.fd(args.fd), sizes);
    const filled = pieces.reduce((sum, piece) => sum + piece.length, 0);
    // The recorder shows whole buffers: zeros where the call did not reach.
    const bufs = sizes.map((size, index) => Buffer.concat([pieces[index] ?? Buffer.alloc(0)], size));
    return { n: pieces.total ?? filled, bufs };
  },
  write: (run, { args }) => run.sys.write(run.fd(args.fd), bytesOf(args.data)),
  pwrite: (run, { args }) => run.sys.pwrite(run.fd(args.fd), bytesOf(args.data), Number(args.off)),
  writev: (run, { args }) => run.sys.writev(run.fd(args.fd), (args.bufs as unknown[]).map(bytesOf)),
  lseek: (run, { args }) => run.sys.lseek(run.fd(args.fd), Number(args.off), parseWhence(args.whence)),
  fstat: (run, { args }) => recordedStat(run.sys.fstat(run.fd(args.fd))),
  fcntl_getfl: (run, { args }) => `0o${run.sys.fcntlGetfl(run.fd(args.fd)).toString(8)}`,
  'dup read'(run) {
    const fd = run.hold(run.call('dup')(run.fd()));
    return text(run.sys.read(fd, SHORT_READ));
  },
  'openat name'(run) {
    const fd = run.hold(run.sys.openat(run.fd(), 'mdev_supported_types/mtty-1/name', 0));
    return text(run.sys.read(fd, SHORT_READ));
  },
  /** The recorder's listdir of a descriptor: all names, rewound before and after. */
  fdreaddir(run, { args }) {
    const fd = run.fd(args.fd);
    if (typeOf(run.sys.fstat(fd).mode) !== 'dir') throw new SysError(Errno.ENOTDIR);
    run.sys.lseek(fd, 0, 0);
    const names = entriesOf(run.sys, fd).map(({ name }) => name);
    run.sys.lseek(fd, 0, 0);
    return names;
  },
  'getdents64(96 bytes)': (run) => direntForm(run.sys.getdents64(stream(run), NARROW)),
  getdents64: (run) => direntForm(run.sys.getdents64(stream(run), NARROW)),
  'getdents64 after lseek 0'(run) {
    run.sys.lseek(stream(run), 0, 0);
    return direntForm(run.sys.getdents64(stream(run), NARROW));
  },
};

/** A buffer that holds one name of 36 letters, or the two dots. */
const NARROW = 96;

/** The directory stream that these steps share without having opened it in a recorded step. */
function stream(run: Run): number {
  const directory = '/sys/bus/mdev/devices';
  if (!run.has('getdents')) run.name('getdents', run.sys.open(directory, 0o200000));
  return run.fd('getdents');
}

function direntForm(entries: readonly SysDirent[]) {
  return entries.map(({ name, type, off }) => ({
    name,
    d_type: type,
    d_off_kind: off <= 2 ? 'small' : 'hash',
  }));
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
