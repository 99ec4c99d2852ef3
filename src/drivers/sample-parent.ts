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
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import type { MdevType } from '../mdev/type.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';

/** The modules a sample driver depends on. */
export const sampleDepends = [mdevModule, vfioModule];

export class SampleParent {
  readonly vfio: VfioCore;
  readonly major: number;
  readonly #registeredDriver: RegisteredMdevDriver;
  readonly #class: DeviceClass;
  readonly #device: Device;
  readonly #parent: MdevParent;

  /**
   * @param name of the class, the device and the character device
   * @param started called when the major number is known
   */
  constructor(
    readonly module: Module,
    name: string,
    driver: MdevDriver,
    types: readonly MdevType[],
    started: (major: number) => void,
  ) {
    const { core } = module;
    this.vfio = module.import(vfioModule);
    this.major = core.chrdevs.allocMajor(name);
    started(this.major);
    this.#registeredDriver = mdevRegisterDriver(module.import(mdevModule), driver, module);
    this.#class = new DeviceClass(core, name).register();
    this.#device = new NamedDevice(core, name, { class: this.#class });
    this.#device.add();
    this.#parent = mdevRegisterParent(this.#device, this.#registeredDriver, types);
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    return after(mdevUnregisterParent(this.#parent), () =>
      after(this.#device.del(), () => {
        this.module.core.chrdevs.freeMajor(this.major);
        return after(mdevUnregisterDriver(this.#registeredDriver), () => this.#class.unregister());
      }),
    );
  }
}
