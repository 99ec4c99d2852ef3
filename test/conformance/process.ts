/**
 * {@link Sys} and {@link Host} of a machine in this process. A thin shell: it gives the emulated process's calls
 * their recorded names, composes the vectored ones, and keeps a process per user for `as_uid` steps.
 * @module
 */

import { CharFile } from '../../src/base/file.js';
import type { Uevent } from '../../src/base/uevent.js';
import type { Stat } from '../../src/kernfs/node.js';
import { KernelError } from '../../src/lib/errno.js';
import { after } from '../../src/lib/sleep.js';
import type { Machine } from '../../src/machine/machine.js';
import type { Process } from '../../src/machine/process.js';
import type { Host } from './host.js';
import { type Sys, type SysStat, Unsupported } from './sys.js';

const BLKSIZE = 4096;
const TMPFS_MAGIC = 0x01021994;
/** Descriptors of a user's process are shown as `uid * SPAN + fd`. */
const SPAN = 1_000_000;
const CHILD_PID = 1000;
const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const PROT_WRITE = 2;

function recordedStat(stat: Stat): SysStat {
  const { atime, mtime, ctime, ...rest } = stat;
  return {
    ...rest,
    blksize: BLKSIZE,
    blocks: 0,
    atime: atime / 1000,
    mtime: mtime / 1000,
    ctime: ctime / 1000,
  };
}

/** /dev/null, which the recorder took for a file that is nothing special. */
class NullFile extends CharFile {
  protected override release(): void {}
}

export function processSys(machine: Machine): Sys {
  const processes = new Map<number, Process>([[0, machine.process()]]);
  let uid = 0;
  const processOf = (user: number): Process => {
    let process = processes.get(user);
    if (!process) {
      process = machine.process({ uid: user, gid: user });
      processes.set(user, process);
    }
    return process;
  };
  const now = (): Process => processOf(uid);
  const own = (fd: number): number => uid * SPAN + fd;
  /** The process that a descriptor belongs to, and its number there. */
  const of = (fd: number): [Process, number] => [processOf(Math.floor(fd / SPAN)), fd % SPAN];
  const on =
    <A extends unknown[], R>(call: (process: Process, fd: number, ...args: A) => R) =>
    (fd: number, ...args: A): R =>
      call(...of(fd), ...args);

  return {
    open: (path, flags) =>
      own(path === '/dev/null' ? now().install(new NullFile()) : now().open(path, flags)),
    openat: (dirfd, path, flags) => {
      const [process, fd] = of(dirfd);
      return dirfd - fd + process.openat(fd, path, flags);
    },
    close: on((process, fd) => process.close(fd)),
    dup: (given) => {
      const [process, fd] = of(given);
      return given - fd + process.dup(fd);
    },
    fdPath: on((process, fd) => process.fdPath(fd)),
    // F_GETFL hides close-on-exec, fdinfo shows it; the recorder's descriptors all had it.
    fdinfo: on((process, fd) => [
      `pos:\t${process.position(fd)}`,
      `flags:\t0${(process.flags(fd) | 0o2000000).toString(8)}`,
    ]),
    statx: (path) => ({
      mask: 0x17ff,
      blksize: BLKSIZE,
      attributes: now().isMountRoot(path) ? 0x2000n : 0n,
      attributesMask: 0x203000n,
    }),
    statfs: (path) => {
      const type = now().fsMagic(path);
      if (type === TMPFS_MAGIC) throw new Unsupported('the emulated tmpfs has no size');
      const empty = { blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
      return { type, bsize: BLKSIZE, frsize: BLKSIZE, namelen: 255, flags: 0x1020, ...empty };
    },
    mmap: on((process, fd, prot: number, flags: number) => process.mmap(fd, prot, flags)),
    fcntl: on((process, fd, command: number, argument: number | Uint8Array) =>
      process.fcntl(fd, command, typeof argument === 'number' ? argument : 0),
    ),
    flock: on((process, fd) => process.flock(fd)),
    fallocate: on((process, fd) => process.fallocate(fd)),
    posixFadvise: on((process, fd) => void process.fstat(fd)),
    syncfs: on((process, fd) => void process.fstat(fd)),
    ioctl: on(
      (process, fd, request: number, arg: number | bigint | Uint8Array) =>
        process.ioctl(fd, request, arg) as number,
    ),
    eventfd: () => own(now().eventfd()),
    memory: () => now().memory,
    mapFile: on((process, fd, flags: number, length: number, offset: number) =>
      process.mmap(fd, PROT_READ | PROT_WRITE, flags, length, offset),
    ),
    munmap: (address) => now().munmap(address),
    locked: () => now().memory.locked,
    fork() {
      const parent = now();
      const child = parent.fork(parent.pid + CHILD_PID);
      const user = uid;
      return {
        run(body) {
          processes.set(user, child);
          try {
            return body();
          } finally {
            processes.set(user, parent);
          }
        },
        exit: () => child.exit(),
      };
    },
    fdNumber: (fd) => fd % SPAN,
    ownFd: own,
    read: on((process, fd, length: number) => process.read(fd, length)),
    pread: on((process, fd, length: number, offset: number) => process.pread(fd, length, offset)),
    readv: on((process, fd, sizes: number[]) => {
      const whole = process.read(
        fd,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      let at = 0;
      const pieces: Uint8Array[] & { total?: number } = sizes.map((size) => {
        const piece = whole.subarray(at, at + size);
        at += size;
        return piece;
      });
      pieces.total = whole.length;
      return pieces;
    }),
    write: on((process, fd, data: Uint8Array) => process.write(fd, data)),
    pwrite: on((process, fd, data: Uint8Array, offset: number) => process.pwrite(fd, data, offset)),
    writev: on((process, fd, pieces: Uint8Array[]) => process.write(fd, Buffer.concat(pieces))),
    lseek: on((process, fd, offset: number, whence: number) => process.lseek(fd, offset, whence)),
    getdents64: on((process, fd, size: number) => process.getdents64(fd, size)),
    stat: (path) => recordedStat(now().stat(path)),
    lstat: (path) => recordedStat(now().lstat(path)),
    fstat: on((process, fd) => recordedStat(process.fstat(fd))),
    readlink: (path, bufferSize) => {
      if (bufferSize === 0) throw new KernelError(22);
      return now().readlink(path).slice(0, bufferSize);
    },
    realpath: (path) => now().realpath(path),
    access: (path, mode) => now().access(path, mode),
    chmod: (path, mode) => now().chmod(path, mode),
    fchmod: on((process, fd, mode: number) => process.fchmod(fd, mode)),
    chown: (path, user, group) => now().chown(path, user, group),
    lchown: (path, user, group) => now().chown(path, user, group, false),
    utimes: (path, atime, mtime) => now().utimes(path, atime * 1000, mtime * 1000),
    lutimes: (path, atime, mtime) => now().utimes(path, atime * 1000, mtime * 1000, false),
    truncate: (path, length) => now().truncate(path, length),
    ftruncate: on((process, fd, length: number) => process.ftruncate(fd, length)),
    mkdir: (path) => now().directories.mkdir(path),
    mkdirat: on((process, fd, path: string) => process.mkdirat(fd, path)),
    rmdir: (path) => now().directories.rmdir(path),
    unlink: (path) => now().directories.unlink(path),
    symlink: (target, path) => now().directories.symlink(target, path),
    link: (from, to) => now().directories.link(from, to),
    rename: (from, to) => now().directories.rename(from, to),
    mknod: (path, mode) => now().directories.mknod(path, mode),
    getxattr: (path, name, follow) => now().getxattr(path, name, follow),
    setxattr: (path, name, value, follow) => now().setxattr(path, name, value, 0, follow),
    listxattr: (path, follow) => now().listxattr(path, follow),
    removexattr: (path, name) => now().removexattr(path, name),
    fsync: on((process, fd) => process.fsync(fd)),
    fdatasync: on((process, fd) => process.fsync(fd)),
    poll: on((process, fd) => process.poll(fd)),
    fcntlGetfl: on((process, fd) => process.flags(fd)),
    fcntlGetfd: on((process, fd) => (process.flags(fd) & O_CLOEXEC ? 1 : 0)),
    asUser(user, body) {
      uid = user;
      try {
        return body();
      } finally {
        uid = 0;
      }
    },
  };
}

export function processHost(machine: Machine): Host & { close(): void } {
  let uevents: string[][] = [];
  let log: string[] = [];
  const endings = [
    machine.uevents.subscribe((event: Uevent) => {
      uevents.push([`${event.action}@${event.devpath}`, ...event.env]);
    }),
    machine.core.log.subscribe((line) => log.push(line)),
  ];
  const status = (call: () => unknown): number => {
    try {
      call();
      return 0;
    } catch (error) {
      if (error instanceof KernelError) return 1;
      throw error;
    }
  };
  return {
    loadModule: (name, parameters) =>
      status(() => machine.modprobe(name, Object.fromEntries(parameters.map(splitParameter)))),
    unloadModule: (name) => {
      try {
        return after(machine.rmmod(name), () => 0);
      } catch (error) {
        if (error instanceof KernelError) return 1;
        throw error;
      }
    },
    takeUevents() {
      const taken = uevents;
      uevents = [];
      return taken;
    },
    takeLog() {
      const taken = log;
      log = [];
      return taken;
    },
    close() {
      for (const end of endings) end();
    },
  };
}

function splitParameter(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}
