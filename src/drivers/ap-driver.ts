/**
 * Drivers of the AP bus (`struct ap_driver`): of cards or of queues. A queue that the host keeps for itself goes to a
 * default driver, any other to one that is none.
 * @module
 */

import type { Bus } from '../base/bus.js';
import type { Device } from '../base/device.js';
import { DeviceDriver, type DeviceDriverOptions } from '../base/driver.js';
import type { ApMask } from './ap-mask.js';

export interface ApDriverOptions<D extends Device> extends DeviceDriverOptions<D> {
  drives: 'cards' | 'queues';
  /** Has what the host keeps for itself. */
  isDefault?: boolean;
  /** Whether it has given any queue of these adapters and domains away. */
  inUse?(apm: ApMask, aqm: ApMask): boolean;
}

export class ApDriver<D extends Device = Device> extends DeviceDriver {
  constructor(
    bus: Bus,
    readonly ap: ApDriverOptions<D>,
  ) {
    super(bus, ap as DeviceDriverOptions);
  }
}
