/**
 * Resources of a PCI function (include/linux/ioport.h, drivers/pci/setup-res.c): six base addresses, the ROM, six of
 * virtual functions, and the windows of a bridge.
 * @module
 */

export interface PciResource {
  readonly start: bigint;
  /** The last address. */
  readonly end: bigint;
  readonly flags: bigint;
}

export const IORESOURCE_IO = 0x100n;
export const IORESOURCE_MEM = 0x200n;
export const IORESOURCE_PREFETCH = 0x2000n;
export const IORESOURCE_MEM_64 = 0x100000n;

export const PCI_STD_NUM_BARS = 6;
export const PCI_ROM_RESOURCE = 6;
/** The first of those that hold the base addresses of all virtual functions. */
export const PCI_IOV_RESOURCES = 7;
/** Lines of the `resource` file of a function without and with a bus below it. */
export const PCI_BRIDGE_RESOURCES = 13;
export const PCI_NUM_RESOURCES = 17;

export const NO_RESOURCE: PciResource = { start: 0n, end: 0n, flags: 0n };

/** Bytes; 0 for a resource that is not there. */
export function resourceSize({ start, end, flags }: PciResource): number {
  return flags === 0n || end < start ? 0 : Number(end - start + 1n);
}

/** Reads a line of a `resource` file. */
export function parseResource(line: string): PciResource {
  const [start = 0n, end = 0n, flags = 0n] = line.trim().split(/\s+/).map(BigInt);
  return { start, end, flags };
}

export function formatResource({ start, end, flags }: PciResource): string {
  return [start, end, flags].map((value) => `0x${value.toString(16).padStart(16, '0')}`).join(' ');
}

/** The bytes of the base address registers that hold these resources. */
export function baseAddresses(resources: readonly PciResource[]): Uint8Array {
  const bytes = Buffer.alloc(4 * PCI_STD_NUM_BARS);
  for (const [index, { start, flags }] of resources.slice(0, PCI_STD_NUM_BARS).entries()) {
    if (flags === 0n) continue;
    const low = Number(start & 0xffff_ffffn);
    if (flags & IORESOURCE_IO) {
      bytes.writeUInt32LE((low | 1) >>> 0, 4 * index);
      continue;
    }
    const wide = (flags & IORESOURCE_MEM_64) !== 0n;
    const type = (wide ? 4 : 0) | (flags & IORESOURCE_PREFETCH ? 8 : 0);
    bytes.writeUInt32LE((low | type) >>> 0, 4 * index);
    if (wide && index + 1 < PCI_STD_NUM_BARS) bytes.writeUInt32LE(Number(start >> 32n), 4 * index + 4);
  }
  return bytes;
}
