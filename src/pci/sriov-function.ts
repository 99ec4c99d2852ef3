/**
 * A virtual function as hardware: what of it follows from the physical one (drivers/pci/iov.c `pci_iov_add_virtfn`).
 * @module
 */

import { PciFunction } from './function.js';
import { PCI_IOV_RESOURCES, PCI_STD_NUM_BARS, type PciResource, resourceSize } from './resource.js';
import type { PciSriov } from './sriov.js';

const EMPTY = new Uint8Array();
const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** Where a virtual function is to be found, whether or not it is there. */
export function virtualAddress(sriov: PciSriov, index: number): string {
  const physical = sriov.device.function;
  const number = physical.devfn + sriov.offset + sriov.stride * index;
  return `${physical.bus}:${hex(number >> 3, 2)}.${number & 7}`;
}

/** @param index its number among the virtual functions, from 0 */
export function virtualFunction(sriov: PciSriov, index: number): PciFunction {
  const physical = sriov.device.function;
  const { options } = physical;
  return new PciFunction({
    physical,
    address: virtualAddress(sriov, index),
    vendor: physical.vendor,
    device: sriov.vfDevice,
    class: options.class,
    revision: options.revision,
    subsystemVendor: physical.subsystemVendor,
    subsystemDevice: physical.subsystemDevice,
    config: options.sriov?.config ?? EMPTY,
    configSize: options.sriov?.configSize ?? options.configSize,
    resources: Array.from({ length: PCI_STD_NUM_BARS }, (_, bar) => {
      return share(physical.resource(PCI_IOV_RESOURCES + bar), sriov.totalVfs, index);
    }),
    irq: 0,
    numaNode: options.numaNode,
    enabled: false,
  });
}

/** The part of a memory range that is one function's. */
function share(all: PciResource, count: number, index: number): PciResource {
  const size = BigInt(resourceSize(all)) / BigInt(count);
  if (size === 0n) return all;
  const start = all.start + size * BigInt(index);
  return { start, end: start + size - 1n, flags: all.flags };
}
