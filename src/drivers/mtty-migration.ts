/**
 * Migration of mtty devices (samples/vfio-mdev/mtty.c `mtty_step_state` and the files it opens): the stream is a header
 * and the ports. While the device still runs, the header alone can be read; stopping adds the ports.
 *
 * Differs: a positioned read or write of the file works as a plain one, the kernel refuses it with ESPIPE.
 * @module
 */

import { CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodePrecopyInfo,
  encodePrecopyInfo,
  PRECOPY_INFO_SIZE,
  VFIO_MIG_GET_PRECOPY_INFO,
  VFIO_MIGRATION_P2P,
  VFIO_MIGRATION_PRE_COPY,
  VFIO_MIGRATION_STOP_COPY,
  VfioMigState,
} from '../uapi/vfio-feature.js';
import { nextMigrationState } from '../vfio/migration.js';
import { type MttyUart, PORT_STATE_SIZE } from './mtty-uart.js';

const { STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY, PRE_COPY_P2P } = VfioMigState;

export const MTTY_MIGRATION_FLAGS = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY;

/** The stream's header: magic (64), version (32, 32), number of ports (32), flags (32). */
const HEADER_SIZE = 24;
const MAGIC = 0x7e9d09898c3e2c4en;
const MAJOR_VERSION = 1;

/** Bytes of the stream of a device. */
export const mttyDataSize = (ports: number) => HEADER_SIZE + ports * PORT_STATE_SIZE;

function fail(errno: number): never {
  throw new KernelError(errno);
}

function headerOf(ports: number): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE);
  bytes.writeBigUInt64LE(MAGIC);
  bytes.writeUInt32LE(MAJOR_VERSION, 8);
  bytes.writeUInt32LE(ports, 16);
  return bytes;
}

/** A file that the stream goes through; taken from the device, it answers nothing any more. */
abstract class MigrationFile extends CharFile {
  override readonly name = 'anon_inode:mtty_mig';
  protected position = 0;
  protected filled = 0;
  #disabled = false;

  constructor(readonly migration: MttyMigration) {
    super();
  }

  protected assertEnabled(): void {
    if (this.#disabled) fail(Errno.ENODEV);
  }

  /** The device goes on without the file. */
  disable(): void {
    this.#disabled = true;
    this.filled = 0;
    this.position = 0;
    this.put();
  }

  protected override release(): void {}
}

class SavingFile extends MigrationFile {
  #stream: Buffer;

  constructor(migration: MttyMigration) {
    super(migration);
    this.#stream = headerOf(migration.ports.length);
    this.filled = HEADER_SIZE;
  }

  /** Adds the ports to the header. */
  savePorts(): void {
    this.#stream = Buffer.concat([this.#stream, ...this.migration.ports.map((port) => port.save())]);
    this.filled = this.#stream.length;
  }

  /** @throws ENODEV when the device has gone on */
  override read(length: number): Uint8Array {
    this.assertEnabled();
    const bytes = this.#stream.subarray(this.position, Math.min(this.filled, this.position + length));
    this.position += bytes.length;
    return bytes;
  }

  /** @throws EBADF: the file is open for reading only */
  override write(): never {
    return fail(Errno.EBADF);
  }

  /**
   * VFIO_MIG_GET_PRECOPY_INFO: what is left to be read while the device runs.
   * @throws ENOTTY for another request; EFAULT; EINVAL for too small a structure, and once the device has stopped
   */
  override ioctl(request: number, arg: UserPointer): number {
    if (request !== VFIO_MIG_GET_PRECOPY_INFO) fail(Errno.ENOTTY);
    const info = decodePrecopyInfo(arg.read(PRECOPY_INFO_SIZE));
    const { state } = this.migration;
    if (info.argsz < PRECOPY_INFO_SIZE || (state !== PRE_COPY && state !== PRE_COPY_P2P)) fail(Errno.EINVAL);
    this.assertEnabled();
    arg.write(
      encodePrecopyInfo({ ...info, initialBytes: BigInt(this.filled - this.position), dirtyBytes: 0n }),
    );
    return 0;
  }
}

class ResumingFile extends MigrationFile {
  readonly #stream: Buffer;

  constructor(migration: MttyMigration) {
    super(migration);
    this.#stream = Buffer.alloc(migration.dataSize);
  }

  /** @throws EBADF: the file is open for writing only */
  override read(): never {
    return fail(Errno.EBADF);
  }

  /**
   * @throws ENOMEM for more than the device's stream has; ENODEV when the device has gone on
   * @throws EFAULT for the header of another device; the bytes are taken all the same
   */
  override write(bytes: Uint8Array): number {
    if (this.position + bytes.length > this.migration.dataSize) fail(Errno.ENOMEM);
    this.assertEnabled();
    this.#stream.set(bytes, this.position);
    const complete = this.filled < HEADER_SIZE && this.filled + bytes.length >= HEADER_SIZE;
    this.position += bytes.length;
    this.filled += bytes.length;
    const header = headerOf(this.migration.ports.length);
    if (complete && !header.equals(this.#stream.subarray(0, HEADER_SIZE))) fail(Errno.EFAULT);
    return bytes.length;
  }

  /** @throws EINVAL when the stream has not come to its end */
  loadPorts(): void {
    const { ports, dataSize } = this.migration;
    if (this.filled < dataSize) fail(Errno.EINVAL);
    for (const [n, port] of ports.entries()) {
      const at = HEADER_SIZE + n * PORT_STATE_SIZE;
      port.load(this.#stream.subarray(at, at + PORT_STATE_SIZE));
    }
  }
}

export class MttyMigration {
  #state: number = RUNNING;
  #saving: SavingFile | undefined;
  #resuming: ResumingFile | undefined;

  constructor(readonly ports: readonly MttyUart[]) {}

  get state(): number {
    return this.#state;
  }

  get dataSize(): number {
    return mttyDataSize(this.ports.length);
  }

  /**
   * Goes to a state, step by step; where a step fails, the device stays.
   * @returns the file of the last step, when that opened one
   * @throws EINVAL for a state that cannot be reached, and for leaving RESUMING before the stream was complete
   */
  setState(state: number): CharFile | undefined {
    let file: CharFile | undefined;
    while (this.#state !== state) {
      const next = nextMigrationState(MTTY_MIGRATION_FLAGS, this.#state, state);
      file = this.#step(next);
      this.#state = next;
    }
    return file;
  }

  /** A reset: the device runs, whatever it was doing. */
  reset(): void {
    this.#state = RUNNING;
    this.disableFiles();
  }

  disableFiles(): void {
    this.#saving?.disable();
    this.#saving = undefined;
    this.#resuming?.disable();
    this.#resuming = undefined;
  }

  #step(next: number): CharFile | undefined {
    const current = this.#state;
    if (current === RESUMING) this.#resuming?.loadPorts();
    if (next === RESUMING) {
      this.#resuming = new ResumingFile(this).get();
      return this.#resuming;
    }
    if (next === STOP_COPY) return this.#save(true);
    const copying = (state: number) => state === PRE_COPY || state === PRE_COPY_P2P;
    if (copying(next)) return copying(current) ? undefined : this.#save(false);
    if (copying(current) || current === STOP_COPY || (current === RESUMING && next === STOP)) {
      this.disableFiles();
    }
    return undefined;
  }

  /** @returns the file, unless it was opened by an earlier step */
  #save(stopped: boolean): CharFile | undefined {
    const opened = this.#saving;
    const file = opened ?? new SavingFile(this).get();
    this.#saving = file;
    if (stopped) file.savePorts();
    return opened ? undefined : file;
  }
}
