/**
 * What the three sample drivers of the kernel (samples/vfio-mdev) have in common: a module that makes a class, one
 * virtual device of that class, and registers it as a parent. Bringing it up and down in this order is what fixes
 * the order of uevents.
 * @module
 */

import { DeviceClass } from '../base/class.js';
import type { Device } from '../base/device.js';
import type { Module } from '../base/module.js';
import { NamedDevice } from '../base/named-device.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { mdevModule } from '../mdev/core.js';
import {
  type MdevDriver,
  mdevRegisterDriver,
  mdevUnregisterDriver,
  type RegisteredMdevDriver,
} from '../mdev/driver.js';
import type { MdevType } from '../mdev/type.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';
import { ParentSlot } from './parent-slot.js';

/** The modules a sample driver depends on. */
export const sampleDepends = [mdevModule, vfioModule];

export class SampleParent {
  readonly vfio: VfioCore;
  readonly major: number;
  readonly #registeredDriver: RegisteredMdevDriver;
  readonly #class: DeviceClass;
  readonly #slot: ParentSlot;

  /**
   * @param name of the class, the device and the character device
   * @param driver of its devices, or what makes it of this object, which knows the VFIO core by then
   * @param started called when the major number is known
   */
  constructor(
    readonly module: Module,
    readonly name: string,
    driver: MdevDriver | ((sample: SampleParent) => MdevDriver),
    types: readonly MdevType[],
    started: (major: number) => void = () => {},
  ) {
    const { core } = module;
    this.vfio = module.import(vfioModule);
    this.major = core.chrdevs.allocMajor(name);
    started(this.major);
    const mdevDriver = typeof driver === 'function' ? driver(this) : driver;
    this.#registeredDriver = mdevRegisterDriver(module.import(mdevModule), mdevDriver, module);
    const ownClass = new DeviceClass(core, name).register();
    this.#class = ownClass;
    const add = (): Device => {
      const device = new NamedDevice(core, name, { class: ownClass });
      device.add();
      return device;
    };
    this.#slot = new ParentSlot(add, this.#registeredDriver, types);
    core.slots.set(name, this.#slot);
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    const { core } = this.module;
    core.slots.delete(this.name);
    return after(this.#slot.unplug(), () => {
      core.chrdevs.freeMajor(this.major);
      return after(mdevUnregisterDriver(this.#registeredDriver), () => this.#class.unregister());
    });
  }
}
