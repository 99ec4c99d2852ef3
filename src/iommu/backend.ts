/**
 * What a VFIO container asks of an IOMMU backend (`struct vfio_iommu_driver_ops`), and what a device without an IOMMU of
 * its own asks of whatever it does DMA through: a container's backend, or an access to an IOAS of iommufd.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import type { Module } from '../base/module.js';
import type { IommuGroup } from './group.js';

export const IOMMU_READ = 1;
export const IOMMU_WRITE = 2;

/** A page of user memory that a device holds. */
export interface PinnedPage {
  read(offset: number, length: number): Buffer;
  write(offset: number, bytes: Uint8Array): void;
}

/** DMA of a device without an IOMMU: by software, through the mappings of user space. */
export interface Dma {
  /**
   * Pins pages, all of them or none (`vfio_pin_pages`). A page may be pinned often; each pin has to be undone.
   * @param iova multiple of the page size
   * @param prot IOMMU_READ and IOMMU_WRITE
   */
  pinPages(iova: bigint, count: number, prot: number): PinnedPage[];
  /** Undoes {@link pinPages} (`vfio_unpin_pages`); stops at the first page that nothing is mapped at. */
  unpinPages(iova: bigint, count: number): void;
  /**
   * Copies out of user memory (`vfio_dma_rw`).
   * @param target where to, for a device that has a buffer; a new one otherwise
   * @returns the target
   */
  dmaRead(iova: bigint, length: number, target?: Buffer): Buffer;
  /** Copies into user memory. */
  dmaWrite(iova: bigint, bytes: Uint8Array): void;
}

/** A device that does DMA and wants to hear when what it may have pinned is unmapped. */
export interface DmaUser {
  /** In messages: the device's name. */
  readonly name: string;
  /** Has to unpin what it pinned in the range; undefined for a device that never pins. */
  readonly dmaUnmap: ((iova: bigint, length: bigint) => void) | undefined;
}

/** A backend in use by one container. */
export interface VfioIommu {
  /** Requests that the container does not know. @throws ENOTTY for one that the backend does not know either */
  ioctl(request: number, arg: UserPointer, caller: Caller): number;
  /** CHECK_EXTENSION once this backend is set. */
  checkExtension(extension: number): number;
  attachGroup(group: IommuGroup): void;
  /** With the last group, every mapping goes. */
  detachGroup(group: IommuGroup): void;
  /** An open device of an attached group; its DMA from now on, and until {@link unregisterDevice}. */
  registerDevice(user: DmaUser): Dma;
  unregisterDevice(user: DmaUser): void;
  /** Lines for the ledger of mappings and pins in debugfs, each with its newline. */
  ledger(): string;
  release(): void;
}

/** A kind of backend, as its module registers it (`vfio_register_iommu_driver`). */
export interface VfioIommuDriver {
  readonly name: string;
  /** Its module, which a container that uses it holds. */
  readonly owner: Module;
  /** CHECK_EXTENSION while no backend is set. */
  checkExtension(extension: number): number;
  /** @throws EINVAL for a type that is not this driver's */
  open(type: number): VfioIommu;
}
