/**
 * What udevd would say of a kernel's event when no rule matches: the same variables, the device node by its whole
 * path, and when the device was first heard of. SEQNUM is the model's own number:
 * nobody is told the kernel's.
 * @module
 */

import type { Uevent } from '../base/uevent.js';
import { encodeLibudev } from '../uapi/libudev.js';

const DEVNAME = 'DEVNAME=';

export class UdevEvents {
  /** Microseconds of the monotonic clock by path of the device. */
  readonly #initialized = new Map<string, bigint>();

  /** @param now microseconds of the monotonic clock */
  constructor(readonly now: () => bigint = () => process.hrtime.bigint() / 1000n) {}

  messageOf({ action, devpath, env }: Uevent): Buffer {
    const initialized = this.#initialized.get(devpath) ?? this.now();
    if (action === 'remove') this.#initialized.delete(devpath);
    else this.#initialized.set(devpath, initialized);
    const variables = env.map((variable) =>
      variable.startsWith(DEVNAME) ? `${DEVNAME}/dev/${variable.slice(DEVNAME.length)}` : variable,
    );
    return encodeLibudev([...variables, `USEC_INITIALIZED=${initialized}`]);
  }
}
