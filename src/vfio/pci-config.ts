/**
 * Configuration space that a driver makes up for its device (as the drivers of samples/vfio-mdev do): bytes that read as
 * they are, and base address registers that answer with their size. Every other register is for the driver to
 * decide. For a device with the registers of real hardware there is `PciConfig` of the PCI core.
 * @module
 */

/** A memory base address: the bits that say what kind of memory it is (PCI_BASE_ADDRESS_MEM_MASK is the rest). */
const MEMORY_KIND = 0xf;
const ALL_ONES = 0xffff_ffff;

/** A write shorter than a base address register finds the rest of what it writes all ones, as recorded. */
export function widened(value: number, size: 1 | 2 | 4): number {
  return size === 4 ? value : ((ALL_ONES << (8 * size)) | value) >>> 0;
}

export class VirtualPciConfig {
  readonly #bytes: Buffer;

  /** @param size how many bytes a driver may address; a read that reaches beyond finds zeros there */
  constructor(readonly size: number) {
    this.#bytes = Buffer.alloc(size);
  }

  set8(offset: number, value: number): this {
    this.#bytes.writeUInt8(value, offset);
    return this;
  }

  set16(offset: number, value: number): this {
    this.#bytes.writeUInt16LE(value, offset);
    return this;
  }

  set32(offset: number, value: number): this {
    this.#bytes.writeUInt32LE(value >>> 0, offset);
    return this;
  }

  get32(offset: number): number {
    return this.#bytes.readUInt32LE(offset);
  }

  /** Bytes from an offset on, as a little-endian number. */
  read(offset: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let n = size - 1; n >= 0; n--) value = value * 256 + (this.#bytes[offset + n] ?? 0);
    return value;
  }

  /**
   * Writes the base address of memory: all ones ask for its size, anything else moves it.
   * @returns the new address, 0 when there is none
   */
  writeMemoryBase(offset: number, value: number, memorySize: number): number {
    const sizing = value === ALL_ONES;
    const address = (sizing ? value & -memorySize : value & ~MEMORY_KIND) >>> 0;
    this.set32(offset, address | (this.#bytes[offset]! & MEMORY_KIND));
    return sizing ? 0 : address;
  }
}
