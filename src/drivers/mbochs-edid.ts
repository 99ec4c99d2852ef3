/**
 * The EDID region of mbochs (include/uapi/linux/vfio.h struct vfio_region_gfx_edid, samples/vfio-mdev/mbochs.c): user
 * space writes there what monitor is plugged in, the guest reads it at the start of the register region.
 * @module
 */

export const EDID_REGION_SIZE = 0x1000;
const BLOB_OFFSET = EDID_REGION_SIZE / 2;
const BLOB_SIZE = 0x400;

/** Registers, in bytes: where the blob is, its room, its length, the largest picture, whether the link is up. */
const REGISTERS_SIZE = 24;
const EDID_OFFSET = 0;
const EDID_MAX_SIZE = 4;
const EDID_SIZE = 8;
const MAX_XRES = 12;
const MAX_YRES = 16;
const LINK_STATE = 20;
const LINK_STATE_UP = 1;

export class MbochsEdid {
  readonly #registers = Buffer.alloc(REGISTERS_SIZE);
  readonly #blob = Buffer.alloc(BLOB_SIZE);

  /** @param maxX, maxY the largest picture; 0 for any */
  constructor(maxX: number, maxY: number) {
    this.#registers.writeUInt32LE(BLOB_OFFSET, EDID_OFFSET);
    this.#registers.writeUInt32LE(BLOB_SIZE, EDID_MAX_SIZE);
    this.#registers.writeUInt32LE(maxX, MAX_XRES);
    this.#registers.writeUInt32LE(maxY, MAX_YRES);
  }

  /** Registers are read whole; anything else in the region that is not the blob is zeros. */
  read(offset: number, size: number): number {
    if (offset >= BLOB_OFFSET) return this.#inBlob(offset, size)?.readUIntLE(0, size) ?? 0;
    return isRegister(offset, size) ? this.#registers.readUInt32LE(offset) : 0;
  }

  /** Of the registers, only the length of the blob and the state of the link take a value. */
  write(offset: number, value: number, size: number): void {
    if (offset >= BLOB_OFFSET) this.#inBlob(offset, size)?.writeUIntLE(value, 0, size);
    else if (isRegister(offset, size) && (offset === EDID_SIZE || offset === LINK_STATE))
      this.#registers.writeUInt32LE(value, offset);
  }

  #inBlob(offset: number, size: number): Buffer | undefined {
    const at = offset - BLOB_OFFSET;
    return at + size <= BLOB_SIZE ? this.#blob.subarray(at) : undefined;
  }

  /** What the guest sees of the blob: nothing while the link is down, nothing behind its length. */
  seen(offset: number, size: number): number {
    const up = this.#registers.readUInt32LE(LINK_STATE) === LINK_STATE_UP;
    if (!up || offset >= this.#registers.readUInt32LE(EDID_SIZE)) return 0;
    return this.#blob.readUIntLE(offset, size);
  }
}

function isRegister(offset: number, size: number): boolean {
  return size === 4 && offset % 4 === 0 && offset + size <= REGISTERS_SIZE;
}
