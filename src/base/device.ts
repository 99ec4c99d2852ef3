/**
 * Devices (drivers/base/core.c): adding one makes its directory, links it into its class and bus, gives it a
 * device node and announces it; deleting takes all of that away in the opposite order and unbinds the driver on
 * the way, which is the one step that may sleep.
 * @module
 */

import { KernfsDir, type KernfsTemplate } from '../kernfs/dir.js';
import { after, Mutex, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Bus } from './bus.js';
import { type Devt, formatDevt } from './chrdev.js';
import type { DeviceClass } from './class.js';
import type { DriverCore } from './core.js';
import { deviceReleaseDriver } from './dd.js';
import type { DeviceDriver } from './driver.js';
import { Kobject } from './kobject.js';
import { powerGroup, type RuntimePm } from './power.js';
import { kobjectSynthUevent } from './uevent.js';

export interface DeviceOptions {
  parent?: Device | undefined;
  bus?: Bus;
  class?: DeviceClass;
  /** Attribute groups of this device, beyond those of its bus and class. */
  groups?: readonly KernfsTemplate[];
  devt?: Devt | undefined;
  /** Directory for a device without parent and class; /sys/devices otherwise. */
  top?: KernfsDir;
}

export class Device extends Kobject {
  readonly parent: Device | undefined;
  readonly bus: Bus | undefined;
  readonly class: DeviceClass | undefined;
  readonly devt: Devt | undefined;
  readonly groups: readonly KernfsTemplate[];
  readonly #top: KernfsDir | undefined;

  driver: DeviceDriver | undefined;
  /** What the driver keeps with the device (`dev_set_drvdata`). */
  driverData: unknown;
  /** Set once deletion began: no driver may bind any more. */
  dead = false;
  /** Runtime power management state, where it is not the default of a device that has none. */
  pm: RuntimePm | undefined;
  readonly lock = new Mutex();

  constructor(core: DriverCore, name: string, options: DeviceOptions) {
    super(core, name);
    this.parent = options.parent;
    this.bus = options.bus;
    this.class = options.class;
    this.devt = options.devt;
    this.groups = options.groups ?? [];
    this.#top = options.top;
  }

  get subsystem(): string | undefined {
    return this.bus?.name ?? this.class?.name;
  }

  /** The node's name below /dev and its mode; undefined for a device without a number. */
  get node(): { name: string; mode: number | undefined } | undefined {
    if (!this.devt) return undefined;
    const custom = this.class?.devnode?.(this);
    return { name: custom?.name ?? this.name, mode: custom?.mode };
  }

  override ueventVariables(): string[] {
    const variables: string[] = [];
    const { devt, node } = this;
    if (devt && node) {
      variables.push(`MAJOR=${devt.major}`, `MINOR=${devt.minor}`, `DEVNAME=${node.name}`);
      if (node.mode !== undefined) variables.push(`DEVMODE=0${node.mode.toString(8)}`);
    }
    if (this.driver) variables.push(`DRIVER=${this.driver.name}`);
    variables.push(...(this.bus?.deviceUevent?.(this) ?? []));
    return variables;
  }

  /**
   * Brings the device into sysfs (`device_add`).
   * @throws EEXIST when the name is taken
   */
  add(): void {
    const parentDir = this.#top ?? deviceParentDir(this);
    const dir = this.kobjectAdd(parentDir);
    dir.addTemplate(ueventGroup);
    if (this.class) {
      dir.addLink('subsystem', this.class.dir);
      if (this.parent) dir.addLink('device', this.parent.dir);
      this.class.dir.addLink(this.name, dir);
      for (const group of this.class.groups) dir.addTemplate(group);
    }
    for (const group of this.groups) dir.addTemplate(group);
    this.bus?.addDevice(this);
    dir.addTemplate(powerGroup(this.core.profile));
    this.#addNode(dir);
    this.uevent('add');
    this.bus?.probeDevice(this);
  }

  /** Takes the device out of sysfs (`device_del`). Sleeps while its driver does, or while its lock is held. */
  del(): Sleeps<void> {
    return after(
      this.lock.hold(() => {
        this.dead = true;
      }),
      () => {
        const { dir } = this;
        dir.removeTemplate(powerGroup(this.core.profile));
        this.#deleteNode(dir);
        if (this.class) {
          if (this.parent) dir.removeChild('device');
          dir.removeChild('subsystem');
          this.class.dir.removeChild(this.name);
        }
        dir.removeTemplate(ueventGroup);
        for (const group of [...(this.class?.groups ?? []), ...this.groups]) dir.removeTemplate(group);
        this.bus?.unlistDevice(this);
        return after(deviceReleaseDriver(this), () => {
          const glue = dir.parent!;
          this.kobjectDel();
          removeGlueDir(glue);
        });
      },
    );
  }

  #addNode(dir: KernfsDir): void {
    const { devt, node } = this;
    if (!devt || !node) return;
    dir.addTemplate(devGroup);
    this.core.devChar.addLink(formatDevt(devt), dir);
    this.core.devtmpfs.createNode(node.name, devt, node.mode ?? 0o600);
  }

  #deleteNode(dir: KernfsDir): void {
    const { devt, node } = this;
    if (!devt || !node) return;
    this.core.devtmpfs.deleteNode(node.name, devt);
    this.core.devChar.removeChild(formatDevt(devt));
    dir.removeTemplate(devGroup);
  }
}

const ueventGroup = new AttributeGroup<Device>({
  attributes: [
    {
      name: 'uevent',
      mode: 0o644,
      show: (device) =>
        device
          .ueventVariables()
          .map((variable) => `${variable}\n`)
          .join(''),
      store: kobjectSynthUevent,
    },
  ],
});

const devGroup = new AttributeGroup<Device>({
  attributes: [{ name: 'dev', mode: 0o444, show: (device) => `${formatDevt(device.devt!)}\n` }],
});

/** A directory between a device and its children of one class; it lives as long as it has entries. */
class GlueDir {
  constructor(readonly className: string) {}
}

/** Where a device's directory goes (`get_device_parent`). */
function deviceParentDir(device: Device): KernfsDir {
  const { core, parent } = device;
  if (!device.class) return parent?.dir ?? core.devices;
  if (parent?.class) return parent.dir;
  const above = parent?.dir ?? core.virtualDevices;
  const { name } = device.class;
  const glue = above.find(name);
  if (glue instanceof KernfsDir && glue.owner instanceof GlueDir) return glue;
  return above.addDir(name, new GlueDir(name));
}

function removeGlueDir(dir: KernfsDir): void {
  if (dir.owner instanceof GlueDir && dir.isEmpty) dir.parent?.removeChild(dir.name);
}
