/**
 * Configuration space of a vGPU: it says of itself what its parent says (ids, class, revision), and has base addresses,
 * an interrupt pin and an MSI vector of its own.
 * @module
 */

import { PciConfig } from '../pci/config.js';
import type { PciFunction } from '../pci/function.js';
import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_ID_MSI,
  PCI_CAPABILITY_LIST,
  PCI_CLASS_PROG,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_REVISION_ID,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from '../pci/regs.js';

export const VGPU_CONFIG_SIZE = 256;
export const VGPU_REGISTERS_SIZE = 4096;
export const VGPU_MEMORY_SIZE = 16 * 1024 * 1024;

const MSI_CAPABILITY = 0x50;
const BAR_PREFETCH = 8;
const INTA = 1;

/** @param parent the function whose device the vGPU is a part of */
export function vgpuConfig(parent: PciFunction): PciConfig {
  const { config } = parent;
  const bytes = Buffer.alloc(VGPU_CONFIG_SIZE);
  bytes.writeUInt16LE(parent.vendor, PCI_VENDOR_ID);
  bytes.writeUInt16LE(parent.device, PCI_DEVICE_ID);
  bytes.writeUInt16LE(PCI_STATUS_CAP_LIST, PCI_STATUS);
  bytes.writeUInt8(config.revision, PCI_REVISION_ID);
  bytes.writeUIntLE(config.class, PCI_CLASS_PROG, 3);
  bytes.writeUInt32LE(BAR_PREFETCH, PCI_BASE_ADDRESS_0 + 4);
  bytes.writeUInt16LE(parent.subsystemVendor, PCI_SUBSYSTEM_VENDOR_ID);
  bytes.writeUInt16LE(parent.subsystemDevice, PCI_SUBSYSTEM_ID);
  bytes.writeUInt8(MSI_CAPABILITY, PCI_CAPABILITY_LIST);
  bytes.writeUInt8(INTA, PCI_INTERRUPT_PIN);
  bytes.writeUInt8(PCI_CAP_ID_MSI, MSI_CAPABILITY);
  bytes.writeUInt16LE(PCI_MSI_FLAGS_64BIT, MSI_CAPABILITY + PCI_MSI_FLAGS);
  return new PciConfig(VGPU_CONFIG_SIZE, bytes, [VGPU_REGISTERS_SIZE, VGPU_MEMORY_SIZE]);
}
