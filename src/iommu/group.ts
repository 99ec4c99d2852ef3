/**
 * IOMMU groups (drivers/iommu/iommu.c): the sets of devices that can only be given away together, numbered from the
 * lowest free number, each a directory below /sys/kernel/iommu_groups.
 *
 * A mediated device gets a group of its own from VFIO, without an IOMMU domain: its type is `unknown` and cannot be
 * changed. The groups of real devices come from the description of the host.
 * @module
 */

import { builtin } from '../base/builtin.js';
import type { DriverCore } from '../base/core.js';
import { devPrint } from '../base/dev-print.js';
import type { Device } from '../base/device.js';
import { Part } from '../base/part.js';
import { KernfsDir } from '../kernfs/dir.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsRoot } from '../kernfs/node.js';
import { Projection } from '../kernfs/projection.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import { Ida } from '../lib/ida.js';
import { sysfsStreq } from '../lib/kstrtox.js';
import { NumberedMap } from '../lib/numbered-map.js';
import { type Roster, rosterGet, rosterMembers, rosterWith, rosterWithout } from '../lib/roster.js';
import { AttributeGroup } from '../sysfs/group.js';

/** Type of a group's default domain, as its `type` file shows it. */
export type DomainType = 'unknown' | 'identity' | 'DMA' | 'DMA-FQ' | 'blocked' | 'unmanaged';

export interface IommuGroupOptions {
  /** Name set by whoever made the group; the `name` file exists only then. */
  name?: string;
  type?: DomainType;
  /** Lines of reserved_regions, each with its newline. */
  reservedRegions?: string;
}

const groupAttributes = new AttributeGroup<IommuGroup>({
  attributes: [
    { name: 'reserved_regions', mode: 0o444, constant: true, show: (group) => group.reservedRegions },
    { name: 'type', mode: 0o644, show: (group) => `${group.type}\n`, store: typeStore },
    { name: 'name', mode: 0o444, constant: true, show: (group) => `${group.name}\n` },
  ],
  isVisible: (group, { name }) => name !== 'name' || group.name !== undefined,
});

/**
 * @throws EINVAL when the group has no default domain, or the type is none a user may ask for
 * @throws EPERM while a device of the group has a driver
 */
function typeStore(group: IommuGroup, text: string): void {
  if (group.type === 'unknown') throw new KernelError(Errno.EINVAL);
  const types = { identity: 'identity', DMA: 'DMA', 'DMA-FQ': 'DMA-FQ', auto: 'DMA' } as const;
  const asked = Object.entries(types).find(([word]) => sysfsStreq(text, word));
  if (!asked) throw new KernelError(Errno.EINVAL);
  const type = asked[1];
  // A lazy flush queue can be switched on while the domain is in use; any other change needs it idle.
  const flushQueueOnly = group.type === 'DMA' && type === 'DMA-FQ';
  if (!flushQueueOnly && [...rosterMembers(group.devices)].some((device) => device.driver))
    throw new KernelError(Errno.EPERM);
  group.type = type;
}

export class IommuGroup {
  readonly name: string | undefined;
  readonly reservedRegions: string;
  devices: Roster<Device> = undefined;
  type: DomainType;
  /** The group's directory, if anybody has looked at it. */
  made: KernfsDir | undefined = undefined;

  constructor(
    readonly iommu: Iommu,
    readonly id: number,
    options: IommuGroupOptions,
  ) {
    this.name = options.name;
    this.type = options.type ?? 'unknown';
    this.reservedRegions = options.reservedRegions ?? '';
  }

  get dir(): KernfsDir {
    return this.made ?? (this.iommu.groupsDir.lookup(String(this.id)) as KernfsDir);
  }

  makeDir(root: KernfsRoot): KernfsDir {
    this.made = new KernfsDir(root, String(this.id), this);
    this.made.addDir('devices', this).addTemplate(groupDevices);
    this.made.addTemplate(groupAttributes);
    return this.made;
  }

  addDevice(device: Device): void {
    this.devices = rosterWith(this.devices, device);
    device.iommuGroup = this;
    device.showPart(Part.IommuGroup);
    this.madeDevicesDir_?.entryAdded(device.name);
    devPrint(device, `Adding to iommu group ${this.id}`);
  }

  /** Takes a device out; a group that loses its last device is gone, and its number free. */
  removeDevice(device: Device): void {
    devPrint(device, `Removing from iommu group ${this.id}`);
    this.devices = rosterWithout(this.devices, device.name);
    this.madeDevicesDir_?.entryRemoved(device.name);
    device.hidePart(Part.IommuGroup);
    device.iommuGroup = undefined;
    if (this.devices === undefined) this.iommu.freeGroup(this);
  }

  private get madeDevicesDir_(): KernfsDir | undefined {
    return this.made?.lookup('devices') as KernfsDir | undefined;
  }
}

const groupDevices: KernfsTemplate = {
  names: (group) => Array.from(rosterMembers((group as IommuGroup).devices), (device) => device.name),
  has: (name, group) => rosterGet((group as IommuGroup).devices, name) !== undefined,
  make(root, name, group) {
    const device = rosterGet((group as IommuGroup).devices, name);
    return device && new KernfsLink(root, name, device.dir);
  },
  directories: () => 0,
};

/** The IOMMU core of a machine. */
export class Iommu {
  readonly groupsDir: KernfsDir;
  /** Groups by their number, as text. */
  readonly groups = new NumberedMap<IommuGroup>();
  readonly ids = new Ida();

  constructor(readonly core: DriverCore) {
    this.groupsDir = core.kernel.addDir('iommu_groups');
    this.groupsDir.addTemplate(
      new Projection(this.groups, (root, _name, group) => group.makeDir(root), true),
    );
  }

  /** Makes a group with the lowest free number (`iommu_group_alloc`). */
  allocGroup(options: IommuGroupOptions = {}): IommuGroup {
    const group = new IommuGroup(this, this.ids.alloc(), options);
    const name = String(group.id);
    this.groups.set(name, group);
    this.groupsDir.entryAdded(name);
    return group;
  }

  freeGroup(group: IommuGroup): void {
    const name = String(group.id);
    this.groups.delete(name);
    this.groupsDir.entryRemoved(name);
    this.ids.free(group.id);
  }
}

/** How modules find the IOMMU core. */
export const iommuBuiltin = builtin<Iommu>('iommu');
