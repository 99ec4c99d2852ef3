/**
 * An mtty device as its user sees it (samples/vfio-mdev/mtty.c): regions, registers, interrupts, migration.
 *
 * Differs: what the kernel reads from beyond its arrays (base addresses 2 to 5, configuration space past its end)
 * and from its stack (the upper bytes of a wide register read) reads as zeros, and writes there are dropped.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import type { KernelLog } from '../base/printk.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_PCI_BAR5_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET, VFIO_DEVICE_SET_IRQS } from '../uapi/vfio-irq.js';
import { readPieces, writePieces } from '../vfio/access.js';
import { getIrqInfo, readIrqSet } from '../vfio/irq.js';
import { VfioPciIrq } from '../vfio/pci-irq.js';
import { getDeviceInfo, getRegionInfo, type Region } from '../vfio/region.js';
import { MTTY_CONFIG_SIZE, MttyConfig } from './mtty-config.js';
import { describeMttyIrq } from './mtty-irq.js';
import { MttyMigration } from './mtty-migration.js';
import { MttyUart, UART_REGISTERS } from './mtty-uart.js';

/** A region begins at its index times this. */
const REGION_SPACING = 2 ** 40;
/** The driver keeps offsets into registers in 16 bits. */
const REGISTER_OFFSET_MASK = 0xffff;
/** Every card has the registers of two ports; how many are in use is a matter of its type. */
const UARTS = 2;

export class MttyDevice {
  readonly #config: MttyConfig;
  readonly #irq = new VfioPciIrq();
  readonly #uarts = Array.from({ length: UARTS }, () => new MttyUart(() => this.#irq.trigger()));
  readonly migration: MttyMigration;
  /** Known once user space has asked for the device's info. */
  #numIrqs = 0;

  constructor(
    readonly ports: number,
    readonly log: KernelLog,
  ) {
    this.#config = new MttyConfig(ports, log);
    this.migration = new MttyMigration(this.#uarts.slice(0, ports));
  }

  /** @throws ENOTTY for a request that is none of these, and what each says */
  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_DEVICE_GET_INFO: {
        const info = { flags: VFIO_DEVICE_FLAGS_PCI, numRegions: VFIO_PCI_NUM_REGIONS };
        return getDeviceInfo(arg, { ...info, numIrqs: VFIO_PCI_NUM_IRQS }, () => {
          this.#numIrqs = VFIO_PCI_NUM_IRQS;
        });
      }
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, (index) => this.#region(index));
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(arg, this.#numIrqs, describeMttyIrq);
      case VFIO_DEVICE_SET_IRQS:
        this.#irq.set(
          readIrqSet(arg, () => this.#numIrqs, VFIO_PCI_NUM_IRQS),
          caller,
        );
        return 0;
      case VFIO_DEVICE_RESET:
        this.log.print('mtty_reset: called');
        this.migration.reset();
        return 0;
      default:
        throw new KernelError(Errno.ENOTTY);
    }
  }

  #region(index: number): Region {
    if (index >= VFIO_PCI_NUM_REGIONS) throw new KernelError(Errno.EINVAL);
    let size = 0;
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) size = MTTY_CONFIG_SIZE;
    else if (index < this.ports) size = UART_REGISTERS;
    const flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    return { size, offset: index * REGION_SPACING, flags };
  }

  /** @throws EFAULT for a region that the card does not have */
  read(length: number, offset: number): Uint8Array {
    return readPieces(length, offset, (at, size) => {
      const { index, register } = place(at);
      if (index === VFIO_PCI_CONFIG_REGION_INDEX) return this.#config.read(register, size);
      return this.#uarts[index]?.read(register & REGISTER_OFFSET_MASK) ?? 0;
    });
  }

  /** A register of a port takes the first byte of a piece. Throws as {@link read} does. */
  write(bytes: Uint8Array, offset: number): number {
    return writePieces(bytes, offset, (at, value, size) => {
      const { index, register } = place(at);
      const masked = register & REGISTER_OFFSET_MASK;
      if (index === VFIO_PCI_CONFIG_REGION_INDEX) this.#config.write(masked, value, size);
      else this.#uarts[index]?.write(masked, value & 0xff);
    });
  }

  /** The last user has gone: registers stay, eventfds and migration files do not. */
  close(): void {
    this.migration.disableFiles();
    this.#irq.disable();
  }
}

function place(offset: number): { index: number; register: number } {
  const index = Math.floor(offset / REGION_SPACING);
  if (index > VFIO_PCI_BAR5_REGION_INDEX && index !== VFIO_PCI_CONFIG_REGION_INDEX)
    throw new KernelError(Errno.EFAULT);
  return { index, register: offset % REGION_SPACING };
}
