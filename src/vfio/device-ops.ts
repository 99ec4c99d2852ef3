/**
 * What a vendor driver does for its device (`struct vfio_device_ops`, `struct vfio_migration_ops`).
 * @module
 */

import type { Caller, CharFile, UserPointer } from '../base/file.js';
import type { VfioDevice } from './device.js';

export interface VfioDeviceOps {
  readonly name: string;
  /** Claims what the device needs. Throws the errno with which creating it fails. */
  init?(vdev: VfioDevice): void;
  /** Gives back what {@link init} claimed. */
  release?(vdev: VfioDevice): void;
  /** The first user opens the device; {@link VfioDevice.kvm} is set by then. Throws the errno of that open. */
  openDevice?(vdev: VfioDevice): void;
  /** The last user has gone. */
  closeDevice?(vdev: VfioDevice): void;
  /** Reads a region; without it, EINVAL. */
  read?(vdev: VfioDevice, length: number, offset: number): Uint8Array;
  /** Writes a region, and returns how much; without it, EINVAL. */
  write?(vdev: VfioDevice, bytes: Uint8Array, offset: number): number;
  /**
   * Answers a request on the open device, but VFIO_DEVICE_FEATURE, which the core does.
   * @throws ENOTTY for one that the device does not know
   */
  ioctl?(vdev: VfioDevice, request: number, arg: UserPointer, caller: Caller): number;
  /** The memory to map at an offset; without it, EINVAL. */
  mmap?(vdev: VfioDevice, offset: number, length: number): Uint8Array;
  /**
   * The device is wanted back: user space is to be asked to let go.
   * @param count how often it was asked before
   */
  request?(vdev: VfioDevice, count: number): void;
  /** What may be pinned in the range has to be unpinned. A driver without it cannot pin. */
  dmaUnmap?(vdev: VfioDevice, iova: bigint, length: bigint): void;
  /**
   * Whether a name given to VFIO_GROUP_GET_DEVICE_FD is the device's; by default its own name is.
   * @throws what the request shall fail with
   */
  match?(vdev: VfioDevice, name: string): boolean;
  /** Migration, for a device that can. */
  migration?: VfioMigrationOps;
  /** Logging of the device's DMA, for a device that can. */
  logging?: VfioLogOps;
}

export interface DmaRange {
  readonly iova: bigint;
  /** Bytes. */
  readonly length: bigint;
}

/** What a device does to log its writes to user memory (`struct vfio_log_ops`). */
export interface VfioLogOps {
  /** @returns the page size that is logged by, which may differ from the one asked for */
  start(vdev: VfioDevice, ranges: readonly DmaRange[], pageSize: bigint): bigint;
  stop(vdev: VfioDevice): void;
  /** What was written to in a range since this was asked last. */
  readAndClear(vdev: VfioDevice, range: DmaRange): Iterable<DmaRange>;
}

/** States of a device's migration (enum vfio_device_mig_state). */
export interface VfioMigrationOps {
  /** VFIO_MIGRATION_STOP_COPY, VFIO_MIGRATION_P2P, VFIO_MIGRATION_PRE_COPY. */
  readonly flags: number;
  getState(vdev: VfioDevice): number;
  /**
   * Takes the device to another state, step by step as `vfio_mig_get_next_state` says.
   * @returns the data transfer file, when the last step opens one
   */
  setState(vdev: VfioDevice, state: number): CharFile | undefined;
  /** Bytes that stop copy will take, about. */
  getDataSize(vdev: VfioDevice): number;
}
