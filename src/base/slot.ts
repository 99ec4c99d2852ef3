/**
 * Slots: places of hardware that comes and goes while the machine runs. Who models such hardware makes them known to the
 * driver core, by the name of the device that shows there.
 * @module
 */

import type { Sleeps } from '../lib/sleep.js';

export interface Slot {
  /** Whether the kernel has what is in there, also while that is leaving. */
  readonly occupied: boolean;
  /** The hardware comes; nothing of an earlier one is left. */
  plug(): Sleeps<void>;
  /** It goes; sleeps while a device of it is in use. */
  unplug(): Sleeps<void>;
}
