/**
 * Operations of the VFS on an open attribute or directory. Those with a path mean the descriptor that the
 * step before opened on it.
 * @module
 */

import type { Run } from '../run.js';
import type { Operations } from './operation.js';

const protections: Readonly<Record<string, number>> = { R: 1, W: 2, RW: 3 };
const mappings: Readonly<Record<string, number>> = { SHARED: 1, PRIVATE: 2 };
const locks: Readonly<Record<string, number>> = { SH: 1, EX: 2, UN: 8 };
const LOCK_NB = 4;

const F_SETFL = 4;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_RDLCK = 0;
const F_SETLEASE = 1024;
const F_NOTIFY = 1026;
const F_GETPIPE_SZ = 1032;
const DN_ACCESS = 1;
const O_DIRECT = 0o40000;

const fcntl = (run: Run, command: number, argument: number | Uint8Array): number =>
  run.call('fcntl')(run.fd(), command, argument);

/** A uuid that no earlier step of the case used: the recorder counted on. */
export function nextUuid(run: Run): Buffer {
  const devices = run.sys.open('/sys/bus/mdev/devices', 0o200000);
  try {
    const count = run.sys.getdents64(devices, 65536).filter(({ type }) => type === 10).length;
    return Buffer.from(`83b8f4f2-509f-382f-3c1e-e6bfe0fa1${count.toString(16).padStart(3, '0')}`);
  } finally {
    run.sys.close(devices);
  }
}

/** Moves a fresh uuid from a pipe into the descriptor, put into the pipe in pieces of the given sizes. */
function spliceIn(run: Run, ...ends: (number | undefined)[]): number {
  const [reader, writer] = run
    .call('pipe')()
    .map((fd) => run.hold(fd)) as [number, number];
  const uuid = nextUuid(run);
  let from = 0;
  for (const end of [...ends, undefined]) {
    run.sys.write(writer, uuid.subarray(from, end));
    from = end ?? 0;
  }
  return run.call('splice')(reader, run.fd(), uuid.length);
}

export const vfsOperations: Operations = {
  mmap(run, { args }) {
    if (args.path === undefined && run.sys.mapFile) {
      run.call('munmap')(run.sys.mapFile(run.fd(), 1, 4096, 0));
      return;
    }
    run.call('mmap')(run.fd(), protections[String(args.prot)] ?? 0, mappings[String(args.flags)] ?? 0);
  },
  flock(run, { args }) {
    run.call('flock')(run.fd(), (locks[String(args.op ?? 'SH')] ?? 0) | LOCK_NB);
  },
  'fcntl F_SETLK WR'(run) {
    const lock = Buffer.alloc(32);
    lock.writeInt16LE(F_WRLCK, 0);
    fcntl(run, F_SETLK, lock);
  },
  F_SETLEASE(run) {
    fcntl(run, F_SETLEASE, F_RDLCK);
  },
  F_NOTIFY: (run) => fcntl(run, F_NOTIFY, DN_ACCESS),
  'F_NOTIFY 0': (run) => fcntl(run, F_NOTIFY, 0),
  F_GETPIPE_SZ: (run) => fcntl(run, F_GETPIPE_SZ, 0),
  'F_SETFL O_DIRECT': (run) => fcntl(run, F_SETFL, O_DIRECT),
  'copy_file_range out'(run) {
    const out = run.hold(run.call('scratch')(Buffer.alloc(0)));
    return run.call('copyFileRange')(run.fd(), out, 100);
  },
  'copy_file_range file->create'(run) {
    return run.call('copyFileRange')(run.hold(run.call('scratch')(nextUuid(run))), run.fd(), 36);
  },
  'splice attr->pipe'(run) {
    const [, writer] = run
      .call('pipe')()
      .map((fd) => run.hold(fd)) as [number, number];
    return run.call('splice')(run.fd(), writer, 4096);
  },
  'sendfile attr->pipe'(run) {
    const [, writer] = run
      .call('pipe')()
      .map((fd) => run.hold(fd)) as [number, number];
    run.sys.lseek(run.fd(), 0, 0);
    return run.call('sendfile')(writer, run.fd(), 4096);
  },
  'sendfile attr->socket'(run) {
    const [one] = run
      .call('socketpair')()
      .map((fd) => run.hold(fd)) as [number, number];
    run.sys.lseek(run.fd(), 0, 0);
    return run.call('sendfile')(one, run.fd(), 4096);
  },
  'sendfile file->create'(run) {
    const uuid = nextUuid(run);
    return run.call('sendfile')(run.fd(), run.hold(run.call('scratch')(uuid)), uuid.length);
  },
  'splice pipe->create': (run) => spliceIn(run),
  'splice pipe(2 bufs)->create': (run) => spliceIn(run, 10),
};
