/**
 * Binary files of PCI devices (drivers/pci/pci-sysfs.c): configuration space, base addresses, ROM.
 *
 * A reader without CAP_SYS_ADMIN sees 64 bytes of configuration space in a kernel. Here everybody who may open the
 * file sees it all, since the model does not know who reads. There is no device memory: a memory resource cannot be
 * read (as in a kernel, where it can only be mapped), a port reads as all ones, and the ROM holds no image.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { BinAttribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciDevice } from './device.js';
import {
  IORESOURCE_IO,
  IORESOURCE_PREFETCH,
  PCI_ROM_RESOURCE,
  PCI_STD_NUM_BARS,
  resourceSize,
} from './resource.js';

const config: BinAttribute<PciDevice> = {
  name: 'config',
  mode: 0o644,
  size: (device) => device.function.config.size,
  read: (device, offset, length) => device.function.config.read(offset, length),
  write: (device, data, offset) => {
    const { config: space } = device.function;
    if (offset >= space.size) throw new KernelError(Errno.EFBIG);
    space.write(data, offset);
  },
};

/** Zero-extended widths that a port can be accessed with. */
const PORT_WIDTHS: readonly number[] = [1, 2, 4];

/** Memory can be mapped and not read: EIO. Ports take accesses of 1, 2 and 4 bytes: EINVAL for others. */
function assertPort(device: PciDevice, index: number, length: number): void {
  if (!(device.function.resource(index).flags & IORESOURCE_IO)) throw new KernelError(Errno.EIO);
  if (!PORT_WIDTHS.includes(length)) throw new KernelError(Errno.EINVAL);
}

const resources = Array.from({ length: PCI_STD_NUM_BARS }, (_, index) => index).flatMap((index) => {
  const resource: BinAttribute<PciDevice> = {
    name: `resource${index}`,
    mode: 0o600,
    size: (device) => resourceSize(device.function.resource(index)),
    read: (device, _offset, length) => {
      assertPort(device, index, length);
      return Buffer.alloc(length, 0xff);
    },
    write: (device, data) => assertPort(device, index, data.length),
  };
  return [resource, { ...resource, name: `resource${index}_wc` }];
});

const rom: BinAttribute<PciDevice> = {
  name: 'rom',
  mode: 0o600,
  size: (device) => resourceSize(device.function.resource(PCI_ROM_RESOURCE)),
  read: (device) => {
    throw new KernelError(device.romEnabled ? Errno.EIO : Errno.EINVAL);
  },
  // "0" and a newline switches reading off, anything else on.
  write: (device, data, offset) => {
    device.romEnabled = !(offset === 0 && data.length === 2 && data[0] === 0x30);
  },
};

export const pciBinGroup = new AttributeGroup<PciDevice>({
  attributes: [config, rom, ...resources],
  isVisible: (device, { name }) => {
    if (name === 'config') return true;
    const index = name === 'rom' ? PCI_ROM_RESOURCE : Number(name.charAt('resource'.length));
    const resource = device.function.resource(index);
    if (resourceSize(resource) === 0) return false;
    if (!name.endsWith('_wc')) return true;
    return device.pci.writeCombining && (resource.flags & IORESOURCE_PREFETCH) !== 0n;
  },
});
