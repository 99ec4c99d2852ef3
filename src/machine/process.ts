/**
 * An emulated process: system calls on the trees of a machine, with a file table, memory and credentials. The calls fail
 * with the errno that the real ones fail with; what blocks returns a promise. Those that take a descriptor are here.
 *
 * Modelled: what reaches sysfs and character devices, and the generic checks before it. Not modelled: pipes, inotify, and
 * conflicts of locks.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { DeviceNode } from '../base/devtmpfs.js';
import { Eventfd } from '../base/eventfd.js';
import type { Caller, CharFile } from '../base/file.js';
import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { readFileNow, writeFile } from '../kernfs/fault.js';
import { O_RDWR, PAGE_SIZE, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../kernfs/file.js';
import { FIRST_HASH } from '../kernfs/hash.js';
import { MAX_NON_LFS, type Stat } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { DeviceCalls } from './device-calls.js';
import { DirectoryCalls } from './directory-calls.js';
import type { Namespace } from './namei.js';
import { openPath } from './open.js';
import { anonymous, O_APPEND, O_CLOEXEC, OpenFile } from './open-file.js';
import { chmodCommon, PathCalls } from './path-calls.js';
import { type Credentials, ROOT } from './permission.js';
import { ProcessMemory } from './user-memory.js';
import { type IoctlArgument, userPointer } from './user-pointer.js';
import { vfsFallocate, vfsFcntl, vfsIoctl, vfsMmap } from './vfs-calls.js';

const SEEK = { set: 0, cur: 1, end: 2, data: 3, hole: 4 } as const;
/** Bytes of a directory entry before its name. */
const DIRENT_HEADER = 19;
const MAX_COUNT = 0x7ffff000;
const MAP_SHARED = 1;
const ANONYMOUS_MODE = 0o600;
/** Pages that a process without privileges may lock. */
const MEMLOCK_PAGES = 2048;

export interface Dirent {
  name: string;
  ino: number;
  /** DT_DIR 4, DT_REG 8, DT_LNK 10, DT_CHR 2. */
  type: number;
  /** Position after this entry. */
  off: number;
}

/** What a process is made of, besides what all processes of a machine share. */
export interface ProcessOptions {
  credentials?: Credentials;
  memory?: ProcessMemory;
}

function reference(file: OpenFile): OpenFile {
  file.references++;
  return file;
}

export class Process extends PathCalls implements Caller {
  readonly #files = new Map<number, OpenFile>();
  readonly directories: DirectoryCalls;
  readonly #device: DeviceCalls;
  readonly memory: ProcessMemory;

  constructor(
    namespace: Namespace,
    readonly core: DriverCore,
    readonly pid: number,
    { credentials = ROOT, memory }: ProcessOptions = {},
  ) {
    super(namespace, credentials);
    this.memory = memory ?? new ProcessMemory(credentials.uid === 0 ? undefined : MEMLOCK_PAGES);
    this.#device = new DeviceCalls(core, namespace);
    this.directories = new DirectoryCalls(namespace, credentials);
  }

  /**
   * A child with the same open files and memory of its own.
   * @param pid its number
   */
  fork(pid: number): Process {
    const { namespace, core, credentials } = this;
    const child = new Process(namespace, core, pid, { credentials, memory: this.memory.fork() });
    for (const [fd, file] of this.#files) child.#files.set(fd, reference(file));
    return child;
  }

  /** Ends the process: its files are closed, its memory goes. */
  exit(): void {
    for (const fd of [...this.#files.keys()]) this.close(fd);
    this.memory.unmapAll();
  }

  readonly #openDevice = (node: DeviceNode, flags: number): OpenFile => this.#device.open(node, flags);

  open(path: string, flags: number): number {
    return this.#install(openPath(this.namespace, path, flags, this.credentials, this.#openDevice));
  }

  openat(dirfd: number, path: string, flags: number): number {
    return this.#install(
      openPath(this.namespace, path, flags, this.credentials, this.#openDevice, this.#directory(dirfd)),
    );
  }

  close(fd: number): void {
    const file = this.#file(fd);
    this.#files.delete(fd);
    if (--file.references > 0) return;
    file.device?.put();
    file.opened?.release();
  }

  /**
   * Sends a request to an open device.
   * @param arg a number, an address in {@link memory}, or a buffer in place of memory, which the device may change
   * @throws what the device says; for other files as {@link vfsIoctl}
   */
  ioctl(fd: number, request: number, arg: IoctlArgument = 0): Sleeps<number> {
    const file = this.#open(fd);
    const { device } = file;
    if (!device?.ioctl) return vfsIoctl(file, request);
    return this.#device.ioctl(file, device, request >>> 0, userPointer(arg, this.memory), this);
  }

  /**
   * Maps a file into {@link memory}. The mapping keeps the file open until {@link munmap}.
   * @param prot PROT_READ 1, PROT_WRITE 2; @param flags MAP_SHARED 1, MAP_PRIVATE 2
   * @param offset multiple of a page
   * @returns the address
   * @throws EACCES as {@link vfsMmap}; ENODEV for a file that cannot be mapped; EINVAL; what the device says
   */
  mmap(fd: number, prot: number, flags: number, length = PAGE_SIZE, offset = 0): bigint {
    const file = this.#open(fd);
    if (!file.device?.mmap) return vfsMmap(file, prot, flags);
    // Devices map their own memory, of which there are no private copies.
    if (length === 0 || offset % PAGE_SIZE !== 0 || !(flags & MAP_SHARED))
      throw new KernelError(Errno.EINVAL);
    const { device } = file;
    const memory = this.#device.mmap(file, device, offset, length);
    device.get();
    return this.memory.map(memory, undefined, { prot, unmapped: () => device.put() });
  }

  munmap(address: bigint): void {
    this.memory.unmap(address);
  }

  /** @returns descriptor of a new eventfd */
  eventfd(initial = 0): number {
    return this.install(new Eventfd(initial));
  }

  /** Same errors as {@link vfsFcntl}. */
  fcntl(fd: number, command: number, argument = 0): number {
    return vfsFcntl(this.#open(fd), command, argument);
  }

  /** Locks of the whole file conflict with nobody here. */
  flock(fd: number): void {
    this.#open(fd);
  }

  fallocate(fd: number): never {
    return vfsFallocate(this.#open(fd));
  }

  fget(fd: number): CharFile | undefined {
    return this.#file(fd).device;
  }

  install(device: CharFile): number {
    return this.#install(new OpenFile(anonymous, O_RDWR | O_CLOEXEC, undefined, device.get()));
  }

  dup(fd: number): number {
    return this.#install(this.#file(fd));
  }

  /** @throws EBADF, EISDIR, ENODEV, and what the attribute's show throws */
  read(fd: number, length: number): Uint8Array {
    const file = this.#readable(fd);
    const data = this.#readAt(file, length, file.position);
    file.position += data.length;
    return data;
  }

  pread(fd: number, length: number, offset: number): Uint8Array {
    if (offset < 0) throw new KernelError(Errno.EINVAL);
    return this.#readAt(this.#readable(fd), length, offset);
  }

  #readable(fd: number): OpenFile {
    const file = this.#file(fd);
    if (!file.readable) throw new KernelError(Errno.EBADF);
    return file;
  }

  #readAt(file: OpenFile, length: number, offset: number): Uint8Array {
    if (file.device) return this.#device.read(file, file.device, Math.min(length, MAX_COUNT), offset);
    if (!file.opened) throw new KernelError(Errno.EISDIR);
    return readFileNow(file.opened, offset, Math.min(length, MAX_COUNT));
  }

  /** @throws EBADF, ENODEV, and what the attribute's store throws */
  write(fd: number, data: Uint8Array): Sleeps<number> {
    const file = this.#writable(fd);
    if (file.device) return this.#device.write(file, file.device, data, file.position);
    if (file.flags & O_APPEND) file.position = PAGE_SIZE;
    return after(writeFile(file.opened!, data, file.position), (count) => {
      file.position += count;
      return count;
    });
  }

  pwrite(fd: number, data: Uint8Array, offset: number): Sleeps<number> {
    if (offset < 0) throw new KernelError(Errno.EINVAL);
    const file = this.#file(fd);
    // A sequence file gives up positioned writes unless it was opened for writing (seq_open, kernfs_fop_open).
    if (file.opened && !file.writable) throw new KernelError(Errno.ESPIPE);
    const { device, opened } = this.#writable(fd);
    return device ? this.#device.write(file, device, data, offset) : writeFile(opened!, data, offset);
  }

  #writable(fd: number): OpenFile {
    const file = this.#file(fd);
    if (!file.writable) throw new KernelError(Errno.EBADF);
    return file;
  }

  /** @throws EBADF, EINVAL beyond the file system's limits, ENODEV for a removed attribute */
  lseek(fd: number, offset: number, whence: number): number {
    const file = this.#open(fd);
    if (file.device) throw new KernelError(Errno.ESPIPE);
    if (file.opened) file.node.assertActive();
    const { size } = file.node;
    let to: number;
    if (whence === SEEK.set) to = offset;
    else if (whence === SEEK.cur) to = file.position + offset;
    else if (whence === SEEK.end) to = size + offset;
    else if (whence === SEEK.data || whence === SEEK.hole) {
      if (offset < 0 || offset >= size) throw new KernelError(Errno.ENXIO);
      to = whence === SEEK.data ? offset : size;
    } else throw new KernelError(Errno.EINVAL);
    if (to < 0 || to > MAX_NON_LFS) throw new KernelError(Errno.EINVAL);
    file.position = to;
    return to;
  }

  /**
   * Directory entries, as many as fit a buffer.
   * @throws ENOTDIR, EBADF, EINVAL when not even one fits
   */
  getdents64(fd: number, bufferSize: number): Dirent[] {
    const file = this.#open(fd);
    if (!isDir(file.node)) throw new KernelError(Errno.ENOTDIR);
    const entries: Dirent[] = [];
    let room = bufferSize;
    for (const entry of this.#entriesFrom(file.node, file.position)) {
      room -= (DIRENT_HEADER + Buffer.byteLength(entry.name) + 1 + 7) & ~7;
      if (room < 0) {
        if (entries.length === 0) throw new KernelError(Errno.EINVAL);
        break;
      }
      entries.push(entry);
      file.position = entry.off;
    }
    return entries;
  }

  *#entriesFrom(dir: KernfsDir, position: number): Generator<Dirent> {
    const type = dir.type >> 12;
    if (position < 1) yield { name: '.', ino: dir.ino, type, off: 1 };
    if (position < FIRST_HASH) {
      yield { name: '..', ino: this.namespace.above(dir).ino, type, off: dir.firstOffset };
    }
    for (const { name, nextOffset } of dir.entriesFrom(position)) {
      const node = dir.lookup(name);
      yield { name, ino: node.ino, type: node.type >> 12, off: nextOffset };
    }
  }

  mkdirat(dirfd: number, path: string): never {
    return this.directories.mkdir(path, this.#directory(dirfd));
  }

  fstat(fd: number): Stat {
    const { node } = this.#file(fd);
    // A file without a name is of no type at all.
    return node === anonymous ? { ...node.getattr(), mode: ANONYMOUS_MODE, nlink: 1 } : node.getattr();
  }

  fchmod(fd: number, mode: number): void {
    chmodCommon(this.#open(fd).node, mode, this.credentials);
  }

  ftruncate(fd: number, length: number): void {
    const file = this.#open(fd);
    if (!file.opened || !file.writable) throw new KernelError(Errno.EINVAL);
    file.node.setattr({ size: length });
  }

  /** @throws EINVAL for a directory */
  fsync(fd: number): void {
    if (!this.#open(fd).opened) throw new KernelError(Errno.EINVAL);
  }

  /** Events of poll(2): a directory is always readable and writable. */
  poll(fd: number): number {
    const { opened, device } = this.#open(fd);
    return (opened ?? device)?.poll?.() ?? POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** Path that /proc/self/fd shows. */
  fdPath(fd: number): string {
    const { node, device } = this.#file(fd);
    return device?.name ?? this.namespace.pathOf(node);
  }

  /** Position that /proc/self/fdinfo shows. */
  position(fd: number): number {
    return this.#file(fd).position;
  }

  /** The file status flags (F_GETFL). */
  flags(fd: number): number {
    return this.#file(fd).flags;
  }

  #install(file: OpenFile): number {
    let fd = 3;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, reference(file));
    return fd;
  }

  #file(fd: number): OpenFile {
    const file = this.#files.get(fd);
    if (!file) throw new KernelError(Errno.EBADF);
    return file;
  }

  /** A file that is more than a path. */
  #open(fd: number): OpenFile {
    const file = this.#file(fd);
    if (file.isPath) throw new KernelError(Errno.EBADF);
    return file;
  }

  #directory(fd: number): KernfsDir {
    const { node } = this.#file(fd);
    if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
    return node;
  }
}
