/**
 * Memory of devices that processes can map: for each VFIO device a file without a name (memfd_create(2)), where a region
 * is at the offset that it has in the device's file. The kernel maps that file in place of the device's, so a store of the
 * process is in the model's memory at once, and the other way round.
 *
 * Differs from a kernel: between regions, and beyond them, a mapping shows zeros in place of being refused.
 * @module
 */

import { closeSync, ftruncateSync } from 'node:fs';
import type { DevicePages } from '../base/device-pages.js';
import type { NativeCalls, NativeFunction } from './native.js';
import type { Device } from '../base/device.js';
import type { VfioDevice } from '../vfio/device.js';

// linux/fuse.h
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;
const FUSE_BACKING_MAP_SIZE = 16;

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
// linux/fcntl.h
const F_ADD_SEALS = 1033;
const F_SEAL_SHRINK = 2;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const FALLOC_PUNCH_HOLE = 3;
/** Ten regions of a terabyte each. */
const FILE_SIZE = 10 * 2 ** 40;

interface RegionFile {
  readonly fd: number;
  /** The number by which the kernel knows it. */
  readonly backing: number;
}

/** Memory that nobody refers to any more is unmapped. */
interface Mapping {
  readonly address: bigint;
  readonly length: number;
}

export class RegionFiles implements DevicePages {
  readonly mappable = true;
  readonly #calls: NativeCalls;
  readonly #fuse: number;
  readonly #files = new WeakMap<Device, RegionFile>();
  readonly #ioctl: NativeFunction;
  readonly #mmap: NativeFunction;
  readonly #fallocate: NativeFunction;
  readonly #memfd: NativeFunction;
  readonly #fcntl: NativeFunction;
  readonly #unused: FinalizationRegistry<Mapping>;
  readonly #closed: FinalizationRegistry<RegionFile>;

  /** @param fuse descriptor of /dev/fuse of the mount that shows the devices */
  constructor(calls: NativeCalls, fuse: number) {
    this.#calls = calls;
    this.#fuse = fuse;
    this.#ioctl = calls.bind('int ioctl(int fd, unsigned long request, void *argument)');
    this.#mmap = calls.bind(
      'int64_t mmap(void *address, size_t length, int prot, int flags, int fd, int64_t offset)',
    );
    this.#fallocate = calls.bind('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
    this.#memfd = calls.bind('int memfd_create(const char *name, unsigned int flags)');
    this.#fcntl = calls.bind('int fcntl(int fd, int command, long argument)');
    const munmap = calls.bind('int munmap(int64_t address, size_t length)');
    this.#unused = new FinalizationRegistry(({ address, length }) => void munmap(address, length));
    this.#closed = new FinalizationRegistry((file) => this.#close(file));
    // Whether the kernel takes such files at all: root of the first user namespace, Linux 6.9.
    this.#close(this.#make('probe'));
  }

  alloc(vdev: Device, offset: number, length: number): Buffer {
    const { fd } = this.#fileOf(vdev);
    const address = BigInt(this.#mmap(null, length, PROT_READ_WRITE, MAP_SHARED, fd, offset));
    if (address < 0n) throw new Error(`mmap: errno ${this.#calls.errno}`);
    const bytes = this.#calls.viewOf(address, length);
    this.#unused.register(bytes.buffer, { address, length });
    return bytes;
  }

  forget(vdev: Device, offset: number, length: number): void {
    const { fd } = this.#fileOf(vdev);
    this.#calls.checked('fallocate', this.#fallocate(fd, FALLOC_PUNCH_HOLE, offset, length));
  }

  /** The number of the file behind an open device; undefined for one that cannot be mapped. */
  backingOf(vdev: VfioDevice): number | undefined {
    return vdev.ops.mmap && this.#fileOf(vdev).backing;
  }

  #fileOf(vdev: Device): RegionFile {
    const known = this.#files.get(vdev);
    if (known) return known;
    const file = this.#make(vdev.name);
    this.#files.set(vdev, file);
    this.#closed.register(vdev, file);
    return file;
  }

  #make(name: string): RegionFile {
    const fd = this.#calls.checked(
      'memfd_create',
      this.#memfd(`mdevfs:${name}`, MFD_CLOEXEC | MFD_ALLOW_SEALING),
    );
    ftruncateSync(fd, FILE_SIZE);
    // Whoever maps it finds it in /proc, and a file that is cut off below the model's feet would end the daemon.
    this.#calls.checked('F_ADD_SEALS', this.#fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    const map = Buffer.alloc(FUSE_BACKING_MAP_SIZE);
    map.writeInt32LE(fd, 0);
    const backing = this.#ioctl(this.#fuse, FUSE_DEV_IOC_BACKING_OPEN, map);
    return { fd, backing: this.#calls.checked('FUSE_DEV_IOC_BACKING_OPEN', backing) };
  }

  #close({ fd, backing }: RegionFile): void {
    const number = Buffer.alloc(4);
    number.writeInt32LE(backing);
    this.#ioctl(this.#fuse, FUSE_DEV_IOC_BACKING_CLOSE, number);
    closeSync(fd);
  }
}
