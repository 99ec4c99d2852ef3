/**
 * Configuration space of the sample displays mdpy and mbochs (samples/vfio-mdev): a display controller of vendor and
 * device, base addresses of memory that can be moved, and nothing else that takes what is written to it.
 * @module
 */

import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  PCI_DEVICE_ID,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from '../pci/regs.js';
import { VirtualPciConfig, widened } from '../vfio/pci-config.js';

export const DISPLAY_CONFIG_SIZE = 0xff;
const CLASS_REVISION = 0x08;
const CLASS_DISPLAY_OTHER = 0x0380;
const REVISION = 1;
const SUBVENDOR_REDHAT_QUMRANET = 0x1af4;
const SUBDEVICE_QEMU = 0x1100;

/** A base address: its index, the size of the memory there, and the fixed bits of its register. */
export interface DisplayBar {
  readonly index: number;
  readonly size: number;
  readonly kind: number;
}

export class DisplayConfig extends VirtualPciConfig {
  /** @param moved called with a base address that was given a place */
  constructor(
    vendor: number,
    device: number,
    readonly bars: readonly DisplayBar[],
    readonly moved: (index: number, address: number) => void,
  ) {
    super(DISPLAY_CONFIG_SIZE);
    this.set16(PCI_VENDOR_ID, vendor).set16(PCI_DEVICE_ID, device);
    this.set16(PCI_SUBSYSTEM_VENDOR_ID, SUBVENDOR_REDHAT_QUMRANET).set16(PCI_SUBSYSTEM_ID, SUBDEVICE_QEMU);
    this.set16(PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    this.set32(CLASS_REVISION, (CLASS_DISPLAY_OTHER << 16) | REVISION);
    for (const { index, kind } of bars) this.set32(PCI_BASE_ADDRESS_0 + 4 * index, kind);
  }

  write(offset: number, value: number, size: 1 | 2 | 4): void {
    const bar = this.bars.find(({ index }) => offset === PCI_BASE_ADDRESS_0 + 4 * index);
    if (!bar) return;
    const address = this.writeMemoryBase(offset, widened(value, size), bar.size);
    if (address !== 0) this.moved(bar.index, address);
  }
}
