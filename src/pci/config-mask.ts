/**
 * Which bits of configuration space software can change, found from the header and the capability list.
 * @module
 */

import type { PciConfig } from './config.js';
import {
  PCI_BASE_ADDRESS_0,
  PCI_BRIDGE_CONTROL,
  PCI_CACHE_LINE_SIZE,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_COMMAND_PARITY,
  PCI_COMMAND_SERR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL2,
  PCI_EXP_LNKCTL,
  PCI_EXP_LNKCTL2,
  PCI_EXP_RTCTL,
  PCI_EXP_SLTCTL,
  PCI_INTERRUPT_LINE,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_PM_CTRL,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PRIMARY_BUS,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS1,
} from './regs.js';

const COMMAND_BITS =
  PCI_COMMAND_IO |
  PCI_COMMAND_MEMORY |
  PCI_COMMAND_MASTER |
  PCI_COMMAND_PARITY |
  PCI_COMMAND_SERR |
  PCI_COMMAND_INTX_DISABLE;

const BAR_IO = 0x1;
const BAR_TYPE = 0x6;
const BAR_64BIT = 0x4;
const ROM_ENABLE = 0x1;
const EXP_CONTROLS: readonly number[] = [
  PCI_EXP_DEVCTL,
  PCI_EXP_LNKCTL,
  PCI_EXP_SLTCTL,
  PCI_EXP_RTCTL,
  PCI_EXP_DEVCTL2,
  PCI_EXP_LNKCTL2,
];

/** A mask for every byte of configuration space. */
export function writableBits(config: PciConfig): Uint8Array {
  const mask = Buffer.alloc(config.size);
  const set16 = (offset: number, bits: number) =>
    offset + 2 <= mask.length && mask.writeUInt16LE(bits, offset);
  const set32 = (offset: number, bits: number) =>
    offset + 4 <= mask.length && mask.writeUInt32LE(bits >>> 0, offset);
  set16(PCI_COMMAND, COMMAND_BITS);
  mask[PCI_CACHE_LINE_SIZE] = 0xff;
  mask[PCI_INTERRUPT_LINE] = 0xff;
  maskBaseAddresses(config, set32);
  if (config.isBridge) {
    // Bus numbers, the windows behind the bridge, and its control register.
    mask.fill(0xff, PCI_PRIMARY_BUS, PCI_PRIMARY_BUS + 4);
    set16(0x1c, 0xf0f0);
    for (const offset of [0x20, 0x22, 0x24, 0x26]) set16(offset, 0xfff0);
    mask.fill(0xff, 0x28, 0x30);
    set16(PCI_BRIDGE_CONTROL, 0xffff);
  }
  for (const { id, offset } of config.capabilities()) {
    if (id === PCI_CAP_ID_PM) set16(offset + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_ENABLE);
    if (id === PCI_CAP_ID_MSIX) {
      set16(offset + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    }
    if (id === PCI_CAP_ID_MSI) maskMsi(config, offset, set16, set32);
    if (id === PCI_CAP_ID_EXP) for (const register of EXP_CONTROLS) set16(offset + register, 0xffff);
  }
  return mask;
}

type SetBits = (offset: number, bits: number) => unknown;

/** The bits of an address that its size leaves free; the type bits below them are fixed. */
function maskBaseAddresses(config: PciConfig, set32: SetBits): void {
  const { bars } = config;
  const last = config.isBridge ? 2 : 6;
  for (let index = 0; index < last; index++) {
    const size = bars[index] ?? 0;
    const offset = PCI_BASE_ADDRESS_0 + 4 * index;
    if (size === 0) continue;
    const type = config.u32(offset);
    const free = -BigInt(size);
    set32(offset, Number(free & (type & BAR_IO ? 0xffff_fffcn : 0xffff_fff0n)));
    if (!(type & BAR_IO) && (type & BAR_TYPE) === BAR_64BIT) {
      index++;
      set32(offset + 4, Number((free >> 32n) & 0xffff_ffffn));
    }
  }
  const rom = bars[6] ?? 0;
  if (rom > 0) set32(config.isBridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS, -rom | ROM_ENABLE);
}

function maskMsi(config: PciConfig, offset: number, set16: SetBits, set32: SetBits): void {
  const flags = config.u16(offset + PCI_MSI_FLAGS);
  set16(offset + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
  set32(offset + 4, 0xffff_fffc);
  const wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
  if (wide) set32(offset + 8, 0xffff_ffff);
  const data = offset + (wide ? 12 : 8);
  set16(data, 0xffff);
  if (flags & PCI_MSI_FLAGS_MASKBIT) set32(data + 4, 0xffff_ffff);
}
