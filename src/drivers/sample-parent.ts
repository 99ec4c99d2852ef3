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
import type { Slot } from '../base/slot.js';
import { after, asleep, type Sleeps } from '../lib/sleep.js';
import { mdevModule } from '../mdev/core.js';
import {
  type MdevDriver,
  mdevRegisterDriver,
  mdevUnregisterDriver,
  type RegisteredMdevDriver,
} from '../mdev/driver.js';
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import type { MdevType } from '../mdev/type.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';

/** The modules a sample driver depends on. */
export const sampleDepends = [mdevModule, vfioModule];

/** The card of a sample driver: the device and its registration as a parent, which go and come back together. */
class SampleSlot implements Slot {
  #plugged: { device: Device; parent: MdevParent } | undefined;
  /** Set while a device of the card is in use that is to go. */
  #leaving: Promise<void> | undefined;

  constructor(
    readonly add: () => Device,
    readonly driver: RegisteredMdevDriver,
    readonly types: readonly MdevType[],
  ) {
    this.plug();
  }

  get occupied(): boolean {
    return this.#plugged !== undefined;
  }

  plug(): void {
    const device = this.add();
    this.#plugged = { device, parent: mdevRegisterParent(device, this.driver, this.types) };
  }

  unplug(): Sleeps<void> {
    if (this.#leaving || !this.#plugged) return this.#leaving;
    const { device, parent } = this.#plugged;
    const gone = after(
      after(mdevUnregisterParent(parent), () => device.del()),
      () => {
        this.#plugged = undefined;
        this.#leaving = undefined;
      },
    );
    if (asleep(gone)) this.#leaving = gone;
    return gone;
  }
}

export class SampleParent {
  readonly vfio: VfioCore;
  readonly major: number;
  readonly #registeredDriver: RegisteredMdevDriver;
  readonly #class: DeviceClass;
  readonly #slot: SampleSlot;

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
    this.#slot = new SampleSlot(add, this.#registeredDriver, types);
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
