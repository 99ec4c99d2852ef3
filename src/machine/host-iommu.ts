/**
 * The IOMMU of a host (drivers/iommu/iommu.c, iommu-sysfs.c): its units with links to the devices below them, and the
 * groups of real devices, numbered as the fixture says.
 * @module
 */

import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import type { Iommu, IommuGroup, IommuGroupOptions } from '../iommu/group.js';
import type { KernfsDir } from '../kernfs/dir.js';
import type { PciNotifier } from '../pci/bus.js';
import type { PciDevice } from '../pci/device.js';
import type { Fixture } from './fixture-schema.js';
import type { PlainHost } from './host-device.js';
import { RawNodes } from './host-node.js';

export interface IommuPlace {
  iommuGroup?: number | undefined;
  iommu?: string | undefined;
}

export class HostIommu implements PciNotifier {
  readonly #units = new Map<string, Device>();
  readonly #options = new Map<number, IommuGroupOptions>();
  /** Numbers of groups that were plugged in, as their fixture says them. */
  readonly #wishes = new Map<number, number>();
  /** Groups that have been made; one that lost its last device is gone, whoever got its number. */
  readonly #groups = new Map<number, IommuGroup>();
  /** Groups of virtual functions. */
  readonly #ownGroups = new Map<PciDevice, IommuGroup>();
  /** Numbers of the groups that are made for functions, as a machine that is put back asks for. */
  readonly wishes = new Map<string, number>();

  /**
   * @param place where a function is
   */
  constructor(
    readonly host: PlainHost,
    readonly iommu: Iommu,
    readonly place: (address: string) => IommuPlace,
  ) {}

  /** What a machine boots with: units, and groups with their numbers. */
  boot(description: Fixture['iommu']): void {
    this.describe(description);
    this.#makeGroups();
  }

  /**
   * Adds units that are not there, and tells what groups are like.
   * @param offset of the numbers by which functions name these groups
   */
  describe({ units, groups }: Fixture['iommu'], offset = 0): void {
    for (const { name, nodes } of units) if (!this.#units.has(name)) this.#addUnit(name, nodes);
    for (const { id, type, reservedRegions } of groups) {
      const lines = reservedRegions.map((line) => `${line}\n`).join('');
      this.#options.set(offset + id, { type, reservedRegions: lines });
      if (offset > 0) this.#wishes.set(offset + id, id);
    }
  }

  #addUnit(name: string, nodes: Fixture['iommu']['units'][number]['nodes']): void {
    const { host } = this;
    const unit = new NamedDevice(host.core, name, { class: host.class('iommu') });
    unit.add();
    unit.dir.addDir('devices');
    new RawNodes(host.core).addAll(() => unit.dir, nodes);
    this.#units.set(name, unit);
  }

  /** Makes the groups with their numbers. Numbers between them are taken for a moment. */
  #makeGroups(): void {
    const last = Math.max(-1, ...this.#options.keys());
    const gaps: IommuGroup[] = [];
    for (let id = 0; id <= last; id++) {
      const group = this.iommu.allocGroup(this.#options.get(id) ?? {});
      if (this.#options.has(id)) this.#groups.set(id, group);
      else gaps.push(group);
    }
    for (const group of gaps) this.iommu.freeGroup(group);
  }

  added(device: PciDevice): void {
    const { iommuGroup, iommu } = this.place((device.physfn ?? device).name);
    const unit = iommu === undefined ? undefined : this.#units.get(iommu);
    if (unit) {
      device.dir.addLink('iommu', unit.dir);
      this.#devicesOf(unit).addLink(device.name, device.dir);
    }
    if (iommuGroup === undefined) return;
    const group = device.physfn ? this.#ownGroup(device, iommuGroup) : this.#group(device, iommuGroup);
    group.addDevice(device);
  }

  removed(device: PciDevice): void {
    const { iommuGroup, iommu } = this.place((device.physfn ?? device).name);
    const group = iommuGroup === undefined ? undefined : this.#groups.get(iommuGroup);
    (this.#ownGroups.get(device) ?? group)?.removeDevice(device);
    this.#ownGroups.delete(device);
    const unit = iommu === undefined ? undefined : this.#units.get(iommu);
    if (!unit) return;
    this.#devicesOf(unit).removeChild(device.name);
    device.dir.removeChild('iommu');
  }

  #devicesOf(unit: Device): KernfsDir {
    return unit.dir.lookup('devices') as KernfsDir;
  }

  /** A group for a virtual function alone, like the one of its physical function. */
  #ownGroup(device: PciDevice, id: number): IommuGroup {
    const group = this.#alloc(device, id);
    this.#ownGroups.set(device, group);
    return group;
  }

  /** The group, or a new one: that of what was plugged in has its number if that is free, others the lowest free one. */
  #group(device: PciDevice, id: number): IommuGroup {
    let group = this.#groups.get(id);
    if (!group || this.iommu.groups.get(String(group.id)) !== group) {
      group = this.#alloc(device, id, this.#wishes.get(id));
      this.#groups.set(id, group);
    }
    return group;
  }

  #alloc({ name }: PciDevice, id: number, wish?: number): IommuGroup {
    this.iommu.ids.wish = this.wishes.get(name) ?? wish;
    this.wishes.delete(name);
    return this.iommu.allocGroup(this.#options.get(id) ?? {});
  }
}
