/**
 * Types of mediated devices (drivers/vfio/mdev/mdev_sysfs.c): for each, a directory below a parent's
 * mdev_supported_types with the file that makes a device.
 * @module
 */

import { devDriverString } from '../base/dev-print.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Errno, KernelError } from '../lib/errno.js';
import { guidParse, UUID_STRING_LEN } from '../lib/guid.js';
import type { Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import { type MdevDevice, mdevDeviceCreate } from './device.js';
import type { MdevParent } from './parent.js';

const typeGroup = new AttributeGroup<MdevType>({
  attributes: [
    { name: 'create', mode: 0o200, store: createStore },
    { name: 'device_api', mode: 0o444, constant: true, show: (type) => `${type.parent.driver.deviceApi}\n` },
    { name: 'name', mode: 0o444, constant: true, show: (type) => `${type.prettyName ?? type.sysfsName}\n` },
    { name: 'available_instances', mode: 0o444, show: (type) => `${type.availableInstances}\n` },
    {
      name: 'description',
      mode: 0o444,
      constant: true,
      show: (type) => `${type.parent.driver.showDescription!(type)}\n`,
    },
  ],
  isVisible: ({ parent: { driver } }, { name }) => {
    if (name === 'name') return driver.hideName !== true;
    return name !== 'description' || driver.showDescription !== undefined;
  },
});

/** Links to the complete devices of a type. */
const typeDevices: KernfsTemplate = {
  *names(type: unknown): Iterable<string> {
    for (const mdev of (type as MdevType).parent.devices) if ((type as MdevType).has(mdev)) yield mdev.uuid;
  },
  has: (name, type) => (type as MdevType).find(name) !== undefined,
  make(root, name, type) {
    const mdev = (type as MdevType).find(name);
    return mdev && new KernfsLink(root, name, mdev.dir);
  },
  directories: () => 0,
};

/**
 * A type of device. Vendor drivers extend it with what makes the type.
 */
export class MdevType {
  #parent: MdevParent | undefined;
  #dir: KernfsDir | undefined;
  #devicesDir: KernfsDir | undefined;

  /**
   * @param sysfsName second half of the directory's name, after the parent's driver
   * @param prettyName what the `name` file shows; the sysfs name without it
   */
  constructor(
    readonly sysfsName: string,
    readonly prettyName?: string,
  ) {}

  get parent(): MdevParent {
    return this.#parent!;
  }

  get dir(): KernfsDir {
    return this.#dir!;
  }

  /** Whether a device is one of this type and complete. */
  has(mdev: MdevDevice): boolean {
    return mdev.mdevType === this && mdev.active;
  }

  find(uuid: string): MdevDevice | undefined {
    const mdev = this.parent.mdev.find(uuid);
    return mdev && this.has(mdev) ? mdev : undefined;
  }

  addDevice(mdev: MdevDevice): void {
    this.#devicesDir!.entryAdded(mdev.uuid);
  }

  removeDevice(mdev: MdevDevice): void {
    this.#devicesDir!.entryRemoved(mdev.uuid);
  }

  /** How many more devices can be made, by the driver's count or the parent's. */
  get availableInstances(): number {
    const { driver } = this.parent;
    return driver.getAvailable ? driver.getAvailable(this) : this.parent.availableInstances;
  }

  /** Makes the type's directory below the parent's mdev_supported_types. */
  add(parent: MdevParent, typesDir: KernfsDir): void {
    this.#parent = parent;
    this.#dir = typesDir.addDir(`${devDriverString(parent.device)}-${this.sysfsName}`, this);
    this.#dir.addTemplate(typeGroup);
    this.#devicesDir = this.#dir.addDir('devices', this);
    this.#devicesDir.addTemplate(typeDevices);
  }

  remove(): void {
    this.dir.parent?.removeChild(this.dir.name);
    this.#dir = undefined;
  }
}

/**
 * Makes a device. The text is a UUID and at most one more character, which may be any.
 * @throws EINVAL for another length or no UUID; and as {@link mdevDeviceCreate}
 */
function createStore(type: MdevType, text: string): Sleeps<void> {
  if (text.length < UUID_STRING_LEN || text.length > UUID_STRING_LEN + 1) throw new KernelError(Errno.EINVAL);
  return mdevDeviceCreate(type, guidParse(text));
}
