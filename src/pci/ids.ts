/**
 * Device ids of PCI drivers (include/linux/mod_devicetable.h `struct pci_device_id`, drivers/pci/pci-driver.c).
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { cstring } from '../lib/kstrtox.js';
import type { PciFunction } from './function.js';

export const PCI_ANY_ID = 0xffff_ffff;

export interface PciDeviceId {
  vendor: number;
  device: number;
  subvendor: number;
  subdevice: number;
  class: number;
  classMask: number;
  driverData: bigint;
}

export function pciMatchOneDevice(id: PciDeviceId, pciFunction: PciFunction): boolean {
  const is = (wanted: number, found: number) => wanted === PCI_ANY_ID || wanted === found;
  const { config, vendor, device } = pciFunction;
  return (
    is(id.vendor, vendor) &&
    is(id.device, device) &&
    is(id.subvendor, pciFunction.subsystemVendor) &&
    is(id.subdevice, pciFunction.subsystemDevice) &&
    ((id.class ^ config.class) & id.classMask) === 0
  );
}

/**
 * Reads an id as a fixture writes it: `VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE][ CLASS[/MASK]]`, `*` for any.
 */
export function parsePciId(text: string): PciDeviceId {
  const [ids = '', classes] = text.split(' ');
  const number = (word: string | undefined) =>
    word === undefined || word === '*' ? PCI_ANY_ID : Number.parseInt(word, 16);
  const [vendor, device, subvendor, subdevice] = ids.split(':').map(number);
  const [classWord, maskWord] = classes?.split('/') ?? [];
  return {
    vendor: vendor ?? PCI_ANY_ID,
    device: device ?? PCI_ANY_ID,
    subvendor: subvendor ?? PCI_ANY_ID,
    subdevice: subdevice ?? PCI_ANY_ID,
    class: classWord === undefined ? 0 : Number.parseInt(classWord, 16),
    classMask: classWord === undefined ? 0 : Number.parseInt(maskWord ?? 'ffffff', 16),
    driverData: 0n,
  };
}

/**
 * Takes the hexadecimal fields of a `new_id` or `remove_id` write apart: at least vendor and device.
 * @returns the id and how many fields there were; missing ones are any, and a class mask of 0
 * @throws EINVAL for fewer than two fields
 */
export function scanPciId(text: string): { id: PciDeviceId; fields: number } {
  const numbers: bigint[] = [];
  // As sscanf goes on: white space, hexadecimal digits, and the end at the first word that is no number.
  const word = /\s*(?:0x)?([0-9a-f]+)/iy;
  const line = cstring(text);
  for (let match = word.exec(line); match && numbers.length < 7; match = word.exec(line)) {
    numbers.push(BigInt(`0x${match[1]}`));
  }
  if (numbers.length < 2) throw new KernelError(Errno.EINVAL);
  const field = (index: number, otherwise: number) =>
    numbers[index] === undefined ? otherwise : Number(numbers[index] & 0xffff_ffffn);
  return {
    id: {
      vendor: field(0, 0),
      device: field(1, 0),
      subvendor: field(2, PCI_ANY_ID),
      subdevice: field(3, PCI_ANY_ID),
      class: field(4, 0),
      classMask: field(5, 0),
      driverData: numbers[6] ?? 0n,
    },
    fields: numbers.length,
  };
}
