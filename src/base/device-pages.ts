/**
 * Where the memory of devices comes from that user space can map.
 * @module
 */

import type { Device } from './device.js';

export interface DevicePages {
  /** Whether whoever has the device open can map it. */
  readonly mappable: boolean;
  /**
   * Memory of a region, zeros at first. It is the same memory each time, as far as mappings tell, until it is forgotten.
   * @param offset of the region in the device's file
   */
  alloc(device: Device, offset: number, length: number): Buffer;
  /** What is allocated there from now on is zeros again. */
  forget(device: Device, offset: number, length: number): void;
}

/** Memory of this program, which emulated processes map. */
export const ownPages: DevicePages = {
  mappable: true,
  alloc: (_device, _offset, length) => Buffer.alloc(length),
  forget: () => {},
};
