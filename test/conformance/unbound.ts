/**
 * Which descriptors of a case are nodes of VFIO devices that nothing was asked of yet: under `mdevfs run` those are still
 * stand-ins.
 * @module
 */

import type { Outcome } from './compare.js';
import type { Step } from './recording.js';

/** Requests by which the stand-in is found out, if it is for a device that is there. */
const held =
  /^(VFIO_GROUP_GET_DEVICE_FD|VFIO_DEVICE_(BIND_IOMMUFD|FEATURE|GET_GFX_DMABUF)|VFIO_IOMMU_(ENABLE|DIRTY_PAGES))$/;

export class UnboundDevices {
  readonly #names = new Set<unknown>();

  get size(): number {
    return this.#names.size;
  }

  has(name: unknown): boolean {
    return this.#names.has(name);
  }

  /** @param name of the file that a step is about */
  after({ op, args, ret }: Step, name: unknown, got: Outcome): void {
    const { path, req, addr } = (args ?? {}) as Record<string, unknown>;
    if (op === 'open' && /^\/dev\/vfio\/devices\//.test(String(path))) this.#names.add(ret);
    if (op === 'close') this.#names.delete(name);
    if (got.errno === 'ENOTTY' || got.errno === 'ENXIO') return;
    if (op === 'ioctl' && held.test(String(req))) this.#names.delete(name);
    // One that is added to a VM.
    if (req === 'KVM_SET_DEVICE_ATTR')
      this.#names.delete((addr as { int32_fd?: unknown } | undefined)?.int32_fd);
  }
}
