/**
 * Devices (drivers/base/core.c): adding one makes its directory, links it into its class and bus, gives it a
 * device node and announces it; deleting takes all of that away in the opposite order and unbinds the driver on
 * the way, which is the one step that may sleep.
 *
 * What a device shows is kept as a set of {@link Part}s. Its directory is made of them when somebody looks at it, and
 * follows them from then on; a device that nobody looks at has none.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import { LinkTemplate } from '../kernfs/projection.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import type { Roster } from '../lib/roster.js';
import { after, asleep, Mutex, type Sleeps } from '../lib/sleep.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Bus } from './bus.js';
import {
  addChild,
  childrenTemplate,
  GlueDir,
  glueOf,
  type Nest,
  removeChild,
  removeIfEmpty,
} from './children.js';
import { type Devt, formatDevt } from './chrdev.js';
import type { DeviceClass, DevNode } from './class.js';
import { deviceReleaseDriver } from './dd.js';
import type { DeviceDriver } from './driver.js';
import { Kobject, State } from './kobject.js';
import { Part } from './part.js';
import { powerGroup, type RuntimePm } from './power.js';
import { kobjectSynthUevent } from './uevent.js';

/**
 * A device. What says where it belongs is for a kind of device to say: a kind of which a machine has very many computes
 * it; others keep it ({@link NamedDevice}).
 */
export abstract class Device extends Kobject implements Nest {
  children: Roster<Device | GlueDir> = undefined;
  driver: DeviceDriver | undefined = undefined;
  /** What the driver keeps with the device (`dev_set_drvdata`). */
  driverData: unknown = undefined;
  /** The IOMMU group that the device is in; the device links to its directory. */
  iommuGroup: { readonly dir: KernfsNode } | undefined = undefined;
  /** Runtime power management state, where it is not the default of a device that has none. */
  pm: RuntimePm | undefined = undefined;
  /** The device's lock; while nobody has slept with it, it needs no object. */
  private lock_: Mutex | undefined = undefined;

  get parent(): Device | undefined {
    return undefined;
  }

  get bus(): Bus | undefined {
    return undefined;
  }

  get class(): DeviceClass | undefined {
    return undefined;
  }

  get devt(): Devt | undefined {
    return undefined;
  }

  /** Attribute groups of this device, beyond those of its bus and class. */
  get groups(): readonly KernfsTemplate[] {
    return noGroups;
  }

  /** Directory for a device without parent and class. */
  get top(): KernfsDir {
    return this.core.devices;
  }

  get subsystem(): string | undefined {
    return this.bus?.name ?? this.class?.name;
  }

  /** Whether deletion began: no driver may bind any more. */
  get dead(): boolean {
    return (this.bits & State.Dead) !== 0;
  }

  /** Runs `body` with the lock that whoever binds, unbinds or deletes the device holds (`device_lock`). */
  locked<T>(body: () => Sleeps<T>): Sleeps<T> {
    if (this.lock_) return this.lock_.hold(body);
    const result = body();
    if (!asleep(result)) return result;
    this.lock_ ??= new Mutex();
    return this.lock_.hold(() => result);
  }

  override get path(): string {
    const { parent } = this;
    const above = parent?.path ?? (this.class ? this.core.virtual.path : this.top.path);
    const glue = this.class && !parent?.class ? `/${this.class.name}` : '';
    return `${above === '/' ? '' : above}${glue}/${this.name}`;
  }

  /** The device's directory; it is made now if nobody has looked at it before. */
  override get dir(): KernfsDir {
    if (this.made) return this.made;
    if (!this.inSysfs) throw new Error(`${this.name} is not in sysfs`);
    return this.home_().lookup(this.name) as KernfsDir;
  }

  /** The directory that this one is in. */
  private home_(): KernfsDir {
    const { parent } = this;
    if (!this.class) return parent?.dir ?? this.top;
    if (parent?.class) return parent.dir;
    return (parent?.dir ?? this.core.virtual.dir).lookup(this.class.name) as KernfsDir;
  }

  makeDir(root: KernfsRoot): KernfsDir {
    this.made = new KernfsDir(root, this.name, this);
    this.made.addTemplate(childrenTemplate);
    for (const part of Object.values(Part)) {
      if (this.shows(part)) for (const template of this.templatesOf(part)) this.made.addTemplate(template);
    }
    return this.made;
  }

  /** The entries that make up a part. */
  protected templatesOf(part: number): readonly KernfsTemplate[] {
    switch (part) {
      case Part.Uevent:
        return ueventPart;
      case Part.Class:
        return this.class!.deviceTemplates;
      case Part.Groups:
        return this.groups;
      case Part.Bus:
        return this.bus!.deviceTemplates;
      case Part.Power:
        return powerGroup(this.core.profile);
      case Part.Node:
        return nodePart;
      case Part.Driver:
        return driverPart;
      case Part.DriverGroups:
        return this.driver!.options.devGroups ?? noGroups;
      case Part.IommuGroup:
        return iommuGroupPart;
      default:
        return noGroups;
    }
  }

  /** Lets the directory show a part. */
  showPart(part: number): void {
    this.bits |= part;
    if (this.made) for (const template of this.templatesOf(part)) this.made.addTemplate(template);
  }

  /** Takes a part out of the directory. What it is made of must still be there. */
  hidePart(part: number): void {
    if (!this.shows(part)) return;
    if (this.made) for (const template of this.templatesOf(part)) this.made.removeTemplate(template);
    this.bits &= ~part;
  }

  shows(part: number): boolean {
    return (this.bits & part) !== 0;
  }

  /** The node's name below /dev and its mode; undefined for a device without a number. */
  get node(): DevNode | undefined {
    if (!this.devt) return undefined;
    return this.class?.devnode?.(this) ?? { name: this.name };
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
    this.enterNest_();
    this.bits |= State.InSysfs;
    this.showPart(Part.Uevent);
    if (this.class) {
      this.showPart(Part.Class);
      this.class.addDevice(this);
    }
    this.showPart(Part.Groups);
    this.bus?.addDevice(this);
    this.showPart(Part.Power);
    this.core.devts.add(this);
    this.platformNotify();
    this.uevent('add');
    this.bus?.probeDevice(this);
  }

  /** Takes the device out of sysfs (`device_del`). Sleeps while its driver does, or while its lock is held. */
  del(): Sleeps<void> {
    const started = this.locked(() => {
      this.bits |= State.Dead;
    });
    return after(started, () => {
      this.hidePart(Part.Power);
      this.core.devts.remove(this);
      if (this.class) {
        this.hidePart(Part.Class);
        this.class.removeDevice(this);
      }
      this.hidePart(Part.Uevent);
      this.hidePart(Part.Groups);
      this.bus?.unlistDevice(this);
      return after(deviceReleaseDriver(this), () => {
        this.platformNotifyRemove();
        this.announceRemoval();
        this.leaveNest_();
        this.bits &= ~State.InSysfs;
        this.made = undefined;
      });
    });
  }

  /** What firmware and IOMMU do about a device that is complete and not announced yet (`device_platform_notify`). */
  protected platformNotify(): void {}

  /** The opposite, once no driver has the device any more and before its removal is announced. */
  protected platformNotifyRemove(): void {}

  private enterNest_(): void {
    const { parent, core, class: ownClass } = this;
    if (!parent && !ownClass) {
      const { top } = this;
      top.add(this.makeDir(top.root));
    } else if (!ownClass || parent?.class) {
      core.assertFree(parent!, this.name);
      addChild(parent!, this);
    } else {
      const nest = parent ?? core.virtual;
      let glue = glueOf(nest, ownClass.name);
      if (!glue) {
        core.assertFree(nest, ownClass.name);
        glue = new GlueDir(ownClass.name);
        addChild(nest, glue);
      }
      core.assertFree(glue, this.name);
      addChild(glue, this);
    }
  }

  private leaveNest_(): void {
    const { parent, core } = this;
    if (!parent && !this.class) this.top.removeChild(this.name);
    else if (!this.class || parent?.class) removeChild(parent!, this);
    else {
      const nest = parent ?? core.virtual;
      const glue = glueOf(nest, this.class.name)!;
      removeChild(glue, this);
      removeIfEmpty(nest, glue);
    }
  }
}

const noGroups: readonly KernfsTemplate[] = [];

const ueventPart = [
  new AttributeGroup<Device>({
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
  }),
];

const nodePart = [
  new AttributeGroup<Device>({
    attributes: [
      {
        name: 'dev',
        mode: 0o444,
        constant: true,
        show: (device) => `${formatDevt(device.core.shownDevt(device))}\n`,
      },
    ],
  }),
];

const driverPart = [new LinkTemplate<Device>({ driver: (device) => device.driver?.dir })];
const iommuGroupPart = [new LinkTemplate<Device>({ iommu_group: (device) => device.iommuGroup?.dir })];
