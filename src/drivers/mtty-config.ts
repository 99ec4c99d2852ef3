/**
 * Configuration space of the mtty card (samples/vfio-mdev/mtty.c `mtty_create_config_space`, `handle_pci_cfg_write`): a
 * serial controller with a base address of I/O ports for each serial port. A register takes what is written to it only
 * when the write begins at its first byte.
 * @module
 */

import type { KernelLog } from '../base/printk.js';
import { VirtualPciConfig, widened } from '../vfio/pci-config.js';
import { UART_REGISTERS } from './mtty-uart.js';

export const MTTY_CONFIG_SIZE = 0xff;
const ID = 0x32534348;
const STATUS_DEVSEL_MEDIUM = 0x0200;
const BAR_IO = 1;
const BAR_IO_BITS = 3;
const ALL_ONES = 0xffff_ffff;
const VENDOR_DATA = 0x40;
const NAME_AT = 0x60;

export class MttyConfig {
  readonly #config = new VirtualPciConfig(MTTY_CONFIG_SIZE);

  constructor(
    readonly ports: number,
    readonly log: KernelLog,
  ) {
    const config = this.#config;
    // Ids, I/O enabled, revision, and the class of a 16550 compatible serial controller.
    config.set32(0x00, ID).set16(0x04, 1).set16(0x06, STATUS_DEVSEL_MEDIUM);
    config.set8(0x08, 0x10).set8(0x09, 0x02).set8(0x0b, 0x07).set32(0x2c, ID).set8(0x3d, 1);
    for (let port = 0; port < ports; port++) config.set32(0x10 + 4 * port, BAR_IO);
    for (const [n, value] of [0x8000_0023, 0x23, 0x23, 0x23].entries())
      config.set32(VENDOR_DATA + 4 * n, value);
    for (const [n, byte] of Buffer.from('PCI Serial/UART').entries()) config.set8(NAME_AT + n, byte);
  }

  /** @param offset any; beyond the space there are zeros */
  read(offset: number, size: 1 | 2 | 4): number {
    return this.#config.read(offset, size);
  }

  /** Does nothing for the command and status registers and for the interrupt pin, which are fixed. */
  write(offset: number, value: number, size: 1 | 2 | 4): void {
    switch (offset) {
      case 0x04:
      case 0x06:
      case 0x3d:
        break;
      case 0x3c:
        this.#config.set8(offset, value & 0xff);
        break;
      case 0x10:
      case 0x14:
        this.#writeBar((offset - 0x10) / 4, widened(value, size));
        break;
      case 0x18:
      case 0x1c:
      case 0x20:
        this.#config.set32(offset, 0);
        break;
      default:
        this.log.print(`PCI config write @0x${offset.toString(16)} of ${size} bytes not handled`);
    }
  }

  #writeBar(index: number, value: number): void {
    const offset = 0x10 + 4 * index;
    if (index >= this.ports) {
      this.#config.set32(offset, 0);
      return;
    }
    this.log.print(`BAR${index} addr 0x${value.toString(16)}`);
    const address = value === ALL_ONES ? -UART_REGISTERS : value;
    this.#config.set32(offset, address | (this.#config.read(offset, 1) & BAR_IO_BITS));
  }
}
