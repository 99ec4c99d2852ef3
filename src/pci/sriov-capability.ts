/**
 * The SR-IOV capability of a physical function (PCI Express Base, Single Root I/O Virtualization): how many virtual
 * functions there can be, which numbers and id they have, and where their memory is.
 * @module
 */

import type { SriovOptions } from './function.js';
import {
  PCI_EXT_CAP_ID_SRIOV,
  PCI_EXT_CAP_START,
  PCI_SRIOV_BAR,
  PCI_SRIOV_INITIAL_VF,
  PCI_SRIOV_SUP_PGSIZE,
  PCI_SRIOV_SYS_PGSIZE,
  PCI_SRIOV_TOTAL_VF,
  PCI_SRIOV_VF_DID,
  PCI_SRIOV_VF_OFFSET,
  PCI_SRIOV_VF_STRIDE,
} from './regs.js';
import { baseAddresses, PCI_IOV_RESOURCES, type PciResource } from './resource.js';

const VERSION_1 = 1;
/** Pages of 4 KB, 64 KB, 1 MB and so on, as devices support them. */
const PAGE_SIZES = 0x553;

/** Writes the capability, and links it to the end of the list of extended capabilities if it is not there. */
export function addSriovCapability(
  bytes: Buffer,
  { totalVfs, offset, stride, vfDevice, capability }: SriovOptions,
  resources: readonly PciResource[],
): void {
  const isThere = (bytes.readUInt32LE(capability) & 0xffff) === PCI_EXT_CAP_ID_SRIOV;
  if (!isThere && capability !== PCI_EXT_CAP_START) {
    const last = lastCapability(bytes);
    const header = bytes.readUInt32LE(last) & 0xfffff;
    bytes.writeUInt32LE((header | (capability << 20)) >>> 0, last);
  }
  if (!isThere) bytes.writeUInt32LE(((VERSION_1 << 16) | PCI_EXT_CAP_ID_SRIOV) >>> 0, capability);
  const set16 = (register: number, value: number) => bytes.writeUInt16LE(value, capability + register);
  set16(PCI_SRIOV_INITIAL_VF, totalVfs);
  set16(PCI_SRIOV_TOTAL_VF, totalVfs);
  set16(PCI_SRIOV_VF_OFFSET, offset);
  set16(PCI_SRIOV_VF_STRIDE, stride);
  set16(PCI_SRIOV_VF_DID, vfDevice);
  bytes.writeUInt32LE(PAGE_SIZES, capability + PCI_SRIOV_SUP_PGSIZE);
  bytes.writeUInt32LE(1, capability + PCI_SRIOV_SYS_PGSIZE);
  bytes.set(baseAddresses(resources.slice(PCI_IOV_RESOURCES)), capability + PCI_SRIOV_BAR);
}

function lastCapability(bytes: Buffer): number {
  let last = PCI_EXT_CAP_START;
  for (let next = last; next >= PCI_EXT_CAP_START; next = bytes.readUInt32LE(last) >>> 20) last = next & ~3;
  return last;
}
