/**
 * Configuration space of a PCI function: its bytes, its capability list, and which bits a write can change
 * (PCI Local Bus 3.0 chapter 6). The hardware half: it stays when the kernel forgets the device.
 *
 * Modelled: read-only and read-write bits of the header and of the usual capabilities, base addresses that read back
 * as their size. Not modelled: what a bit does to the device.
 * @module
 */

import { writableBits } from './config-mask.js';
import {
  PCI_CAPABILITY_LIST,
  PCI_CLASS_PROG,
  PCI_DEVICE_ID,
  PCI_EXT_CAP_START,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_HEADER_TYPE_MASK,
  PCI_REVISION_ID,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_VENDOR_ID,
} from './regs.js';

const FIRST_CAPABILITY = 0x40;
const MOST_CAPABILITIES = 48;
const MOST_EXTENDED_CAPABILITIES = 480;

export class PciConfig {
  readonly #bytes: Buffer;
  #writable: Uint8Array | undefined;

  /**
   * @param size 256 or 4096
   * @param initial bytes from offset 0
   * @param bars size in bytes of each base address (0 for none), then of the ROM
   */
  constructor(
    readonly size: number,
    initial: Uint8Array,
    readonly bars: readonly number[] = [],
  ) {
    this.#bytes = Buffer.alloc(size);
    this.#bytes.set(initial.subarray(0, size));
  }

  u8(offset: number): number {
    return this.#bytes.readUInt8(offset);
  }

  u16(offset: number): number {
    return this.#bytes.readUInt16LE(offset);
  }

  u32(offset: number): number {
    return this.#bytes.readUInt32LE(offset);
  }

  setU8(offset: number, value: number): void {
    this.#bytes.writeUInt8(value, offset);
  }

  setU16(offset: number, value: number): void {
    this.#bytes.writeUInt16LE(value, offset);
  }

  setU32(offset: number, value: number): void {
    this.#bytes.writeUInt32LE(value >>> 0, offset);
  }

  /** Sets and clears bits of a 16-bit register. */
  update(offset: number, set: number, clear = 0): void {
    this.setU16(offset, (this.u16(offset) & ~clear) | set);
  }

  get vendor(): number {
    return this.u16(PCI_VENDOR_ID);
  }

  get device(): number {
    return this.u16(PCI_DEVICE_ID);
  }

  get revision(): number {
    return this.u8(PCI_REVISION_ID);
  }

  /** 24 bits: class, subclass, programming interface. */
  get class(): number {
    return this.u32(PCI_CLASS_PROG - 1) >>> 8;
  }

  get isBridge(): boolean {
    return (this.u8(PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK) === PCI_HEADER_TYPE_BRIDGE;
  }

  /** Every capability: its id and where it begins, in list order. */
  *capabilities(): Generator<{ id: number; offset: number }> {
    if (!(this.u16(PCI_STATUS) & PCI_STATUS_CAP_LIST)) return;
    let offset = this.u8(PCI_CAPABILITY_LIST) & ~3;
    for (let count = 0; offset >= FIRST_CAPABILITY && count < MOST_CAPABILITIES; count++) {
      yield { id: this.u8(offset), offset };
      offset = this.u8(offset + 1) & ~3;
    }
  }

  /** Where a capability begins; 0 when there is none of that id. */
  findCapability(id: number): number {
    for (const capability of this.capabilities()) if (capability.id === id) return capability.offset;
    return 0;
  }

  /** Every extended capability, in list order. */
  *extendedCapabilities(): Generator<{ id: number; offset: number }> {
    let offset = this.size > PCI_EXT_CAP_START ? PCI_EXT_CAP_START : 0;
    for (let count = 0; offset >= PCI_EXT_CAP_START && count < MOST_EXTENDED_CAPABILITIES; count++) {
      const header = this.u32(offset);
      if (header === 0) return;
      yield { id: header & 0xffff, offset };
      offset = (header >>> 20) & ~3;
    }
  }

  /** Where an extended capability begins; 0 when there is none of that id. */
  findExtendedCapability(id: number): number {
    for (const capability of this.extendedCapabilities()) if (capability.id === id) return capability.offset;
    return 0;
  }

  /** A copy of some bytes. */
  read(offset: number, length: number): Uint8Array {
    return Buffer.from(this.#bytes.subarray(offset, offset + length));
  }

  /** Writes what can be written; the rest of the bits stay. */
  write(data: Uint8Array, offset: number): void {
    this.#writable ??= writableBits(this);
    for (const [index, byte] of data.entries()) {
      const at = offset + index;
      if (at >= this.size) return;
      const mask = this.#writable[at]!;
      this.#bytes[at] = (this.#bytes[at]! & ~mask) | (byte & mask);
    }
  }
}
