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
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { Ida } from '../lib/ida.js';
import { sysfsStreq } from '../lib/kstrtox.js';
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
    { name: 'reserved_regions', mode: 0o444, show: (group) => group.reservedRegions },
    { name: 'type', mode: 0o644, show: (group) => `${group.type}\n`, store: typeStore },
    { name: 'name', mode: 0o444, show: (group) => `${group.name}\n` },
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
  if (!flushQueueOnly && [...group.devices].some((device) => device.driver))
    throw new KernelError(Errno.EPERM);
  group.type = type;
}

export class IommuGroup {
  readonly name: string | undefined;
  readonly reservedRegions: string;
  readonly devices = new Set<Device>();
  readonly dir: KernfsDir;
  type: DomainType;

  constructor(
    readonly iommu: Iommu,
    readonly id: number,
    options: IommuGroupOptions,
  ) {
    this.name = options.name;
    this.type = options.type ?? 'unknown';
    this.reservedRegions = options.reservedRegions ?? '';
    this.dir = iommu.groupsDir.addDir(String(id), this);
    this.dir.addDir('devices');
    this.dir.addTemplate(groupAttributes);
  }

  get devicesDir(): KernfsDir {
    return this.dir.lookup('devices') as KernfsDir;
  }

  addDevice(device: Device): void {
    this.devices.add(device);
    this.iommu.groupOf.set(device, this);
    device.dir.addLink('iommu_group', this.dir);
    this.devicesDir.addLink(device.name, device.dir);
    devPrint(device, `Adding to iommu group ${this.id}`);
  }

  /** Takes a device out; a group that loses its last device is gone, and its number free. */
  removeDevice(device: Device): void {
    devPrint(device, `Removing from iommu group ${this.id}`);
    this.devicesDir.removeChild(device.name);
    device.dir.removeChild('iommu_group');
    this.iommu.groupOf.delete(device);
    this.devices.delete(device);
    if (this.devices.size === 0) this.iommu.freeGroup(this);
  }
}

/** The IOMMU core of a machine. */
export class Iommu {
  readonly groupsDir: KernfsDir;
  readonly groups = new Map<number, IommuGroup>();
  readonly groupOf = new WeakMap<Device, IommuGroup>();
  readonly #ids = new Ida();

  constructor(readonly core: DriverCore) {
    this.groupsDir = core.kernel.addDir('iommu_groups');
  }

  /** Makes a group with the lowest free number (`iommu_group_alloc`). */
  allocGroup(options: IommuGroupOptions = {}): IommuGroup {
    const group = new IommuGroup(this, this.#ids.alloc(), options);
    this.groups.set(group.id, group);
    return group;
  }

  freeGroup(group: IommuGroup): void {
    this.groupsDir.removeChild(String(group.id));
    this.groups.delete(group.id);
    this.#ids.free(group.id);
  }
}

/** How modules find the IOMMU core. */
export const iommuBuiltin = builtin<Iommu>('iommu');
