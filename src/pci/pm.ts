/**
 * Runtime power management of a PCI function (drivers/pci/pci-driver.c, drivers/base/power/runtime.c), as far as its
 * `power` directory shows it: the core forbids it for every function, so `control` begins as `on`. With `auto`, a
 * function that no driver has is suspended; one that has a driver stays active, as with a driver that does not
 * support runtime power management.
 * @module
 */

import type { RuntimePm } from '../base/power.js';
import type { PciDevice } from './device.js';

export class PciRuntimePm implements RuntimePm {
  #control: 'auto' | 'on' = 'on';
  #status: 'active' | 'suspended' = 'active';
  #since: number;
  #active = 0;
  #suspended = 0;

  constructor(readonly device: PciDevice) {
    this.#since = device.core.clock.now();
  }

  get control(): 'auto' | 'on' {
    return this.#control;
  }

  set control(control: 'auto' | 'on') {
    this.#control = control;
    this.update();
  }

  get status(): 'active' | 'suspended' {
    return this.#status;
  }

  /** Follows a change of what decides the state: a driver came or went, or a user spoke. */
  update(): void {
    this.#account();
    this.#status = this.#control === 'auto' && !this.device.driver ? 'suspended' : 'active';
  }

  activeTime(): number {
    this.#account();
    return Math.floor(this.#active);
  }

  suspendedTime(): number {
    this.#account();
    return Math.floor(this.#suspended);
  }

  #account(): void {
    const now = this.device.core.clock.now();
    if (this.#status === 'active') this.#active += now - this.#since;
    else this.#suspended += now - this.#since;
    this.#since = now;
  }
}
