/**
 * One bus of the PCI hierarchy (drivers/pci/probe.c `struct pci_bus`), as its entry in the pci_bus class shows it.
 * @module
 */

import type { DeviceClass } from '../base/class.js';
import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import { kstrtoull } from '../lib/kstrtox.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { PciBus } from './bus.js';
import { cpuList, cpuMask } from './sysfs.js';

export class PciSegment extends NamedDevice {
  /**
   * @param name `DOMAIN:BUS`
   * @param above the host bridge or bridge
   */
  constructor(
    readonly pci: PciBus,
    segmentClass: DeviceClass,
    name: string,
    above: Device,
  ) {
    super(pci.core, name, { class: segmentClass, parent: above });
  }
}

export const pciBusGroup = new AttributeGroup<PciSegment>({
  attributes: [
    {
      name: 'rescan',
      mode: 0o200,
      store: ({ pci }, text) => (kstrtoull(text) === 0n ? undefined : pci.rescanLocked()),
    },
    { name: 'cpuaffinity', mode: 0o444, show: ({ pci }) => `${cpuMask(pci.cpus)}\n` },
    { name: 'cpulistaffinity', mode: 0o444, show: ({ pci }) => `${cpuList(pci.cpus)}\n` },
  ],
});
