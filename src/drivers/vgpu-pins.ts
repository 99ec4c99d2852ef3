/**
 * Pages of guest memory that a vGPU holds. What is unmapped is let go (`vfio_device_ops.dma_unmap`).
 * @module
 */

import { IOMMU_READ, IOMMU_WRITE, type PinnedPage } from '../iommu/backend.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { VfioDevice } from '../vfio/device.js';

const PAGE_SIZE = 4096n;

interface Pin {
  readonly page: PinnedPage;
  count: number;
}

export class VgpuPins {
  readonly #pins = new Map<bigint, Pin>();
  /** Pages that were let go because they were unmapped. */
  unmapped = 0;

  constructor(readonly vdev: VfioDevice) {}

  /** Pages held, each once. */
  get size(): number {
    return this.#pins.size;
  }

  /** @throws what `pinPages` throws; nothing is held then that was not before */
  pin(iova: bigint, pages: number): void {
    const pinned = this.vdev.pinPages(iova, pages, IOMMU_READ | IOMMU_WRITE);
    for (const [n, page] of pinned.entries()) {
      const at = iova + BigInt(n) * PAGE_SIZE;
      const pin = this.#pins.get(at);
      if (pin) pin.count++;
      else this.#pins.set(at, { page, count: 1 });
    }
  }

  /** @throws EINVAL when one of the pages is not held; all stay then */
  unpin(iova: bigint, pages: number): void {
    const range = Array.from({ length: pages }, (_, n) => iova + BigInt(n) * PAGE_SIZE);
    if (range.some((at) => !this.#pins.has(at))) throw new KernelError(Errno.EINVAL);
    this.vdev.unpinPages(iova, pages);
    for (const at of range) {
      const pin = this.#pins.get(at)!;
      if (--pin.count === 0) this.#pins.delete(at);
    }
  }

  /** Writes into a page that is held. @throws EFAULT when it is not, or the bytes go beyond it */
  write(iova: bigint, bytes: Uint8Array): void {
    const offset = Number(iova % PAGE_SIZE);
    const pin = this.#pins.get(iova - BigInt(offset));
    if (!pin || offset + bytes.length > Number(PAGE_SIZE)) throw new KernelError(Errno.EFAULT);
    pin.page.write(offset, bytes);
  }

  dmaUnmap(iova: bigint, length: bigint): void {
    for (const at of [...this.#pins.keys()]) {
      if (at < iova || at - iova >= length) continue;
      this.#release(at);
      this.unmapped++;
    }
  }

  releaseAll(): void {
    for (const at of [...this.#pins.keys()]) this.#release(at);
  }

  /** Undoes every pin of a page. */
  #release(at: bigint): void {
    const { count } = this.#pins.get(at)!;
    for (let n = 0; n < count; n++) this.vdev.unpinPages(at, 1);
    this.#pins.delete(at);
  }
}
