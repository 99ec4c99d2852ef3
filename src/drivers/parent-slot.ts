/**
 * A device that comes and goes together with its registration as a parent: the card of a sample driver, the AP matrix.
 * Its module stays.
 * @module
 */

import type { Device } from '../base/device.js';
import type { Slot } from '../base/slot.js';
import { after, asleep, type Sleeps } from '../lib/sleep.js';
import type { RegisteredMdevDriver } from '../mdev/driver.js';
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import type { MdevType } from '../mdev/type.js';

export class ParentSlot implements Slot {
  #plugged: { device: Device; parent: MdevParent } | undefined;
  /** Set while a device of the parent is in use that is to go. */
  #leaving: Promise<void> | undefined;

  /**
   * @param add makes the device, and adds it
   * @param device the first one, where it was added before
   */
  constructor(
    readonly add: () => Device,
    readonly driver: RegisteredMdevDriver,
    readonly types: readonly MdevType[],
    device?: Device,
  ) {
    this.plug(device);
  }

  get occupied(): boolean {
    return this.#plugged !== undefined;
  }

  plug(device: Device = this.add()): void {
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
