/**
 * What the driver core keeps once per machine: the top directories of sysfs, the uevent stream, the device
 * nodes, the character device numbers and the kernel log. A kernel has these as globals; two machines live
 * side by side in one process, so here they hang together on one object.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { kernfsCreateRoot } from '../kernfs/root.js';
import type { Clock } from '../lib/clock.js';
import { Errno, KernelError } from '../lib/errno.js';
import { rosterGet } from '../lib/roster.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Nest } from './children.js';
import { CharDeviceNumbers, type Devt } from './chrdev.js';
import { mountDebugfs } from './debugfs.js';
import { DeviceNumbers } from './devt.js';
import { Devtmpfs } from './devtmpfs.js';
import type { Device } from './device.js';
import { type DevicePages, ownPages } from './device-pages.js';
import type { DeviceFaults } from './fault.js';
import { KernelLog } from './printk.js';
import type { KernelProfile } from './profile.js';
import type { Slot } from './slot.js';
import { Uevents } from './uevent.js';
import { VirtualDevices } from './virtual.js';

const kernelAttributes = new AttributeGroup<DriverCore>({
  attributes: [{ name: 'uevent_seqnum', mode: 0o444, show: (core) => `${core.uevents.seqnum}\n` }],
});

export interface DriverCoreOptions {
  profile: KernelProfile;
  clock: Clock;
  /** Majors of character devices, by driver name, where they are not to be the next free ones. */
  majors?: Readonly<Record<string, number>>;
}

export class DriverCore {
  readonly profile: KernelProfile;
  readonly clock: Clock;
  readonly uevents: Uevents;
  readonly devtmpfs: Devtmpfs;
  readonly chrdevs: CharDeviceNumbers;
  readonly log = new KernelLog();
  /** Places of hardware that can come and go, by the name of the device. */
  readonly slots = new Map<string, Slot>();
  /** Faults of drivers and open devices, while there are rules for any. */
  faults: DeviceFaults | undefined = undefined;

  /** The number that the node of a device has, for those whose nodes are not of this machine's making. */
  shownDevt: (device: Device) => Devt = (device) => device.devt!;
  /** Memory of devices that user space maps. */
  devicePages: DevicePages = ownPages;

  /** The top directory of sysfs: what is mounted at /sys. */
  readonly sysfs: KernfsDir;
  readonly devices: KernfsDir;
  readonly bus: KernfsDir;
  readonly class: KernfsDir;
  readonly module: KernfsDir;
  readonly kernel: KernfsDir;
  readonly virtual: VirtualDevices;
  readonly devts: DeviceNumbers;
  readonly devBlock: KernfsDir;
  /** The top directory of debugfs, at /sys/kernel/debug. */
  readonly debugfs: KernfsDir;

  constructor(options: DriverCoreOptions) {
    this.profile = options.profile;
    this.clock = options.clock;
    const now = () => this.clock.now();
    this.chrdevs = new CharDeviceNumbers(options.majors);
    this.uevents = new Uevents();
    this.devtmpfs = new Devtmpfs(now);
    this.sysfs = kernfsCreateRoot(now);
    this.devices = this.sysfs.addDir('devices');
    this.bus = this.sysfs.addDir('bus');
    this.class = this.sysfs.addDir('class');
    this.module = this.sysfs.addDir('module');
    this.kernel = this.sysfs.addDir('kernel', this);
    this.kernel.addTemplate(kernelAttributes);
    this.debugfs = mountDebugfs(this.kernel);
    const dev = this.sysfs.addDir('dev');
    this.devts = new DeviceNumbers(dev.addDir('char'), this.devtmpfs);
    this.virtual = new VirtualDevices(this.devices);
    this.devBlock = dev.addDir('block');
    for (const name of ['block', 'firmware', 'fs', 'power']) this.sysfs.addDir(name);
  }

  /**
   * Checks that nothing stands in the way of a new child.
   * @throws EEXIST when the name is taken, by a child or by another entry of a directory that has been made
   */
  assertFree(nest: Nest, name: string): void {
    if (nest.made ? nest.made.has(name) : rosterGet(nest.children, name)) throw new KernelError(Errno.EEXIST);
  }
}
