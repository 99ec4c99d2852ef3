/**
 * {@link Sys} by system calls of a process inside of `mdevfs run` (caller.ts). What this process's C library does for a
 * mounted tree, that process's does here; besides, it has files, memory and children that nobody else uses.
 * @module
 */

import { Errno } from '../../../src/lib/errno.js';
import { checkedBy, Root } from '../libc/bindings.js';
import { callsOf } from '../libc/libc.js';
import { Killed, type Sys, type SysBackground, SysError, type SysMemory } from '../sys.js';
import { type CallerProcess, ChosenLibrary } from './caller.js';

const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_FIXED_NOREPLACE = 0x100000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const IOVEC_SIZE = 16;
/** The recorder's did not wait. */
const EFD_NONBLOCK = 0o4000;
const PROC_ROOM = 4096;
/** Its own descriptors begin there, see caller.c. */
const CONTROL = 800;

const WRITE = 'int64_t write(int fd, const void *data, size_t length)';
const CLOSE_RANGE = 'int close_range(uint32_t first, uint32_t last, int flags)';

export function callerSys(process: CallerProcess): Sys {
  const library = new ChosenLibrary(process);
  const base = callsOf(new Root('/sys', true), library);
  const map = library.native(
    'uintptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, int64_t offset)',
  );
  const munmap = library.native('int munmap(uintptr_t at, size_t length)');
  const eventfd = library.native('int eventfd(uint32_t initial, int flags)');
  const kill = library.native('int kill(int pid, int signal)');
  const checked = checkedBy(library);
  const lengths = new Map<bigint, number>();

  const mmap = (address: bigint, length: number, flags: number, fd: number, offset: number): bigint => {
    const at = BigInt(map(address, length, PROT_READ_WRITE, flags, fd, offset));
    if (at === MAP_FAILED) throw new SysError(library.errno);
    lengths.set(at, length);
    return at;
  };
  const unmap = (address: bigint): void => void checked(munmap(address, lengths.get(address) ?? 0));
  const memory = memoryOf(library, {
    map: (length, address) =>
      mmap(
        address ?? 0n,
        length,
        MAP_PRIVATE | MAP_ANONYMOUS | (address === undefined ? 0 : MAP_FIXED_NOREPLACE),
        -1,
        0,
      ),
    unmap,
  });
  const procText = (name: string): string => {
    const fd = base.open(`/proc/${name}`, 0);
    try {
      return Buffer.from(base.read(fd, PROC_ROOM)).toString('latin1');
    } finally {
      base.close(fd);
    }
  };

  const background = (fd: number, data: Uint8Array): SysBackground => {
    // It must not hold what it waits for.
    const writer = library.process.fork();
    if (fd > 0) writer.call(CLOSE_RANGE, 0, fd - 1, 0);
    writer.call(CLOSE_RANGE, fd + 1, CONTROL - 1, 0);
    const written = writer.callLater(WRITE, fd, data, data.length).then(
      (count) => {
        const { errno } = writer;
        writer.end();
        if (count === -1n) throw new SysError(errno);
        return Number(count);
      },
      () => {
        throw new Killed((writer.end() ?? 0) & 0x7f);
      },
    );
    return {
      result: written,
      kill: (signal) => void checked(kill(writer.pid, signal)),
      state: () => /^State:.*\n/m.exec(procText(`${writer.pid}/status`))?.[0] ?? '',
    };
  };

  return {
    ...base,
    fdPath: (fd) => base.readlink(`/proc/self/fd/${fd}`),
    fdinfo: (fd) => procText(`self/fdinfo/${fd}`).trimEnd().split('\n'),
    eventfd: () => checked(eventfd(0, EFD_NONBLOCK)),
    memory: () => memory,
    mapFile: (fd, flags, length, offset) => mmap(0n, length, flags, fd, offset),
    munmap: unmap,
    locked: () => Number(/^VmLck:\s*(\d+)/m.exec(procText('self/status'))?.[1]) / 4,
    background,
    writeLater: (fd, data) => background(fd, data).result,
    fork() {
      const parent = library.process;
      const child = parent.fork();
      return {
        run(body) {
          library.process = child;
          try {
            return body();
          } finally {
            library.process = parent;
          }
        },
        exit: () => void child.end(),
      };
    },
  };
}

function whole(length: number, copied: number): void {
  if (copied < length) throw new SysError(Errno.EFAULT);
}

/** Memory of the process by its own system calls, so that an address that is not mapped is an errno. */
function memoryOf(library: ChosenLibrary, mappings: Pick<SysMemory, 'map' | 'unmap'>): SysMemory {
  const rest = 'const void *local, uint64_t locals, const void *remote, uint64_t remotes, uint64_t flags';
  const readv = library.native(`int64_t process_vm_readv(int pid, ${rest})`);
  const writev = library.native(`int64_t process_vm_writev(int pid, ${rest})`);
  const checked = checkedBy(library);
  const remote = (address: bigint, length: number): Buffer => {
    const vector = Buffer.alloc(IOVEC_SIZE);
    vector.writeBigUInt64LE(address, 0);
    vector.writeUInt32LE(length, 8);
    return vector;
  };
  return {
    ...mappings,
    read(address, length) {
      const bytes = Buffer.alloc(length);
      const local = [{ base: bytes, length }];
      whole(length, checked(readv(library.process.pid, local, 1, remote(address, length), 1, 0)));
      return bytes;
    },
    write(address, bytes) {
      const local = [{ base: bytes, length: bytes.length }];
      whole(
        bytes.length,
        checked(writev(library.process.pid, local, 1, remote(address, bytes.length), 1, 0)),
      );
    },
  };
}
