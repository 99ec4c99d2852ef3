/**
 * A kernfs file and what is open on it (fs/kernfs/file.c).
 *
 * Modelled: the open check that even root fails, values that are shown again when reading begins at offset 0 or
 * jumps, one write as one call of the owner with the offset ignored and at most a page of data, poll by event
 * counter, ENODEV once the file is gone.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { KernfsNode, type KernfsRoot, S_IFREG } from './node.js';

export const PAGE_SIZE = 4096;

export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;

export const POLLIN = 0x001;
export const POLLPRI = 0x002;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLRDNORM = 0x040;
export const POLLWRNORM = 0x100;
const POLL_ALWAYS = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

/** What stands behind a file. A file shows text or reads bytes, never both. */
export interface KernfsFileOps {
  /** Size in bytes that stat reports. */
  readonly size: number;
  /** The whole text of the file. Cut to a page less one byte. */
  show?(): string;
  /** Whether the text is the same as long as the file exists. */
  readonly constant?: boolean;
  /** Bytes of a binary file. */
  read?(offset: number, length: number): Uint8Array;
  /**
   * Takes what one write(2) brought.
   * @returns bytes consumed; later, when the operation blocks
   */
  store?(data: Uint8Array, offset: number): Sleeps<number>;
  /** What stands behind one opening of the file, when each has a state of its own. */
  open?(): KernfsFileOps;
  /** The last descriptor of an opening is gone. */
  release?(): void;
}

export class KernfsFile extends KernfsNode {
  /** Grows with every notification; a reader that saw an older number is woken. */
  event = 1;

  constructor(
    root: KernfsRoot,
    name: string,
    mode: number,
    readonly ops: KernfsFileOps,
  ) {
    super(root, name, S_IFREG | mode);
  }

  override get size(): number {
    return this.ops.size;
  }

  /** Wakes pollers (`kernfs_notify`, `sysfs_notify`). */
  notify(): void {
    this.event++;
    for (const observer of this.root.observers) observer.notified?.(this);
  }

  /**
   * Opens the file.
   * @param flags open(2) flags; only the access mode matters
   * @throws ENODEV when the file was removed
   * @throws EACCES for root too: writing needs a write bit in the mode and a store, reading a read bit and a
   *   show (KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK)
   */
  open(flags: number): KernfsOpenFile {
    this.assertActive();
    const access = flags & O_ACCMODE;
    const reads = access === O_RDONLY || access === O_RDWR;
    const writes = access === O_WRONLY || access === O_RDWR;
    if (writes && (!(this.mode & 0o222) || !this.ops.store)) throw new KernelError(Errno.EACCES);
    if (reads && (!(this.mode & 0o444) || !(this.ops.show || this.ops.read)))
      throw new KernelError(Errno.EACCES);
    return new KernfsOpenFile(this);
  }
}

/** The text of a file as a reader gets it. */
export function showText(ops: KernfsFileOps): Uint8Array {
  const text = Buffer.from(ops.show!(), 'latin1');
  return text.length < PAGE_SIZE ? text : text.subarray(0, PAGE_SIZE - 1);
}

/** An open file: a position in the text that was last shown (fs/seq_file.c) and the event last seen. */
export class KernfsOpenFile {
  #rest: Uint8Array = Buffer.alloc(0);
  #position = 0;
  #event = 0;

  private readonly ops_: KernfsFileOps;

  constructor(readonly file: KernfsFile) {
    this.ops_ = file.ops.open?.() ?? file.ops;
  }

  /** Nobody has this opening any more. */
  release(): void {
    this.ops_.release?.();
  }

  /**
   * Reads text. The value is produced anew at offset 0 and wherever reading does not continue; a reader that
   * goes on sees the rest of what it began.
   * @throws ENODEV when the file was removed and nothing of the value is left to read
   */
  read(offset: number, length: number): Uint8Array {
    const { file } = this;
    if (this.ops_.read) return this.readBytes_(offset, length);
    if (length === 0) return Buffer.alloc(0);
    const again = offset === 0 || offset !== this.#position;
    if (again) {
      this.#rest = Buffer.alloc(0);
      this.#position = offset;
      this.#rest = this.show_().subarray(offset);
    } else if (this.#rest.length === 0) {
      file.assertActive();
    }
    const data = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(data.length);
    this.#position += data.length;
    return data;
  }

  private show_(): Uint8Array {
    this.file.assertActive();
    this.#event = this.file.event;
    return showText(this.ops_);
  }

  private readBytes_(offset: number, length: number): Uint8Array {
    const { file } = this;
    file.assertActive();
    this.#event = file.event;
    const { size } = this.ops_;
    if (size > 0) {
      if (offset >= size) return Buffer.alloc(0);
      length = Math.min(length, size - offset);
    }
    return this.ops_.read!(offset, Math.min(length, PAGE_SIZE));
  }

  /**
   * One write: at most a page reaches the owner, in one piece.
   * @returns bytes taken, or a promise of it when the operation blocks
   * @throws ENODEV when the file was removed, also for an empty write
   */
  write(data: Uint8Array, offset = 0): Sleeps<number> {
    const { file } = this;
    file.assertActive();
    if (data.length === 0) return 0;
    const page = data.length > PAGE_SIZE ? data.subarray(0, PAGE_SIZE) : data;
    const { observers } = file.root;
    const taken = this.ops_.store!(page, offset);
    if (observers.size === 0) return taken;
    return after(taken, (count) => {
      for (const observer of observers) observer.written?.(file);
      return count;
    });
  }

  /** Takes the present value as read, for a reader whose reads do not come here. */
  see(): void {
    this.#event = this.file.event;
  }

  /** poll(2) events: always readable and writable, exceptional while a notification is unseen. */
  poll(): number {
    if (this.file.removed) return POLL_ALWAYS | POLLERR | POLLPRI;
    return this.#event === this.file.event ? POLL_ALWAYS : POLL_ALWAYS | POLLERR | POLLPRI;
  }
}
