/**
 * PCI drivers (drivers/pci/pci-driver.c): an id table, and ids that a user adds while the driver is loaded.
 * @module
 */

import { driverAttach } from '../base/dd.js';
import { DeviceDriver } from '../base/driver.js';
import type { Module } from '../base/module.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciBus } from './bus.js';
import type { PciDevice } from './device.js';
import { PCI_ANY_ID, type PciDeviceId, pciMatchOneDevice, scanPciId } from './ids.js';

export interface PciDriverOptions {
  name: string;
  module?: Module | undefined;
  ids?: readonly PciDeviceId[];
  /** Attribute groups of every device while it is bound. */
  devGroups?: readonly KernfsTemplate[];
  /** Takes a device. Throws the errno of a device that it cannot drive. */
  probe?(device: PciDevice): void;
  /** Lets a device go; may sleep until its users have. */
  remove?(device: PciDevice): Sleeps<void>;
  /** Changes the number of virtual functions to 0 or from 0. A driver without it does not let users do so. */
  sriovConfigure?: ((device: PciDevice, count: number) => Sleeps<void>) | undefined;
}

const pciDriverGroup = new AttributeGroup<PciDriver>({
  attributes: [
    { name: 'new_id', mode: 0o200, store: newIdStore },
    { name: 'remove_id', mode: 0o200, store: removeIdStore },
  ],
});

export class PciDriver extends DeviceDriver {
  readonly ids: readonly PciDeviceId[];
  dynamicIds: PciDeviceId[] = [];
  readonly sriovConfigure: PciDriverOptions['sriovConfigure'];

  constructor(
    readonly pci: PciBus,
    options: PciDriverOptions,
  ) {
    super(pci, {
      name: options.name,
      module: options.module,
      groups: [pciDriverGroup],
      devGroups: options.devGroups ?? [],
      probe: (device) => options.probe?.(device as PciDevice),
      remove: (device) => options.remove?.(device as PciDevice),
    });
    this.ids = options.ids ?? [];
    this.sriovConfigure = options.sriovConfigure;
  }

  /**
   * Whether it may drive a device (`pci_match_device`): a device with an override takes the driver of that name and no
   * other; without one an id decides, the users' first.
   */
  matches(device: PciDevice): boolean {
    if (!device.matchDriver) return false;
    if (device.driverOverride !== undefined) return device.driverOverride === this.name;
    return [...this.dynamicIds, ...this.ids].some((id) => pciMatchOneDevice(id, device.function));
  }
}

/**
 * Adds an id and binds what it matches: hexadecimal vendor, device and optionally subvendor, subdevice, class, class
 * mask and driver data.
 * @throws EINVAL for fewer than two numbers, or driver data that no id of the driver has
 * @throws EEXIST when the driver takes such a device already
 */
function newIdStore(driver: PciDriver, text: string): void {
  const { id, fields } = scanPciId(text);
  if (fields !== 7) {
    const known = [...driver.dynamicIds, ...driver.ids].some((other) => covers(other, id));
    if (known) throw new KernelError(Errno.EEXIST);
  }
  // Data that the driver does not know could be a pointer to nowhere.
  if (driver.ids.length > 0 && !driver.ids.some((other) => other.driverData === id.driverData)) {
    throw new KernelError(Errno.EINVAL);
  }
  driver.dynamicIds.push(id);
  driverAttach(driver);
}

/** Whether a device with exactly these numbers would match. */
function covers(id: PciDeviceId, numbers: PciDeviceId): boolean {
  const is = (wanted: number, found: number) => wanted === PCI_ANY_ID || wanted === found;
  return (
    is(id.vendor, numbers.vendor) &&
    is(id.device, numbers.device) &&
    is(id.subvendor, numbers.subvendor) &&
    is(id.subdevice, numbers.subdevice) &&
    ((id.class ^ numbers.class) & id.classMask) === 0
  );
}

/**
 * Takes back an id that `new_id` added. Bound devices stay bound.
 * @throws EINVAL for fewer than two numbers; ENODEV when there is no such id
 */
function removeIdStore(driver: PciDriver, text: string): void {
  const { id } = scanPciId(text);
  const at = driver.dynamicIds.findIndex(
    (other) =>
      other.vendor === id.vendor &&
      other.device === id.device &&
      (id.subvendor === PCI_ANY_ID || other.subvendor === id.subvendor) &&
      (id.subdevice === PCI_ANY_ID || other.subdevice === id.subdevice) &&
      ((other.class ^ id.class) & id.classMask) === 0,
  );
  if (at < 0) throw new KernelError(Errno.ENODEV);
  driver.dynamicIds = driver.dynamicIds.filter((_, index) => index !== at);
}
