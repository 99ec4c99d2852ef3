/**
 * Interrupts that can only be triggered, one at each index: devices without masks, such as those of s390
 * (drivers/s390/cio/vfio_ccw_ops.c, drivers/s390/crypto/vfio_ap_ops.c).
 * @module
 */

import type { Eventfd } from '../base/eventfd.js';
import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
} from '../uapi/vfio-irq.js';
import { eventfdOf, getIrqInfo, readIrqSet } from './irq.js';

export class TriggerIrqs {
  readonly #eventfds: (Eventfd | undefined)[];

  /** @param count how many indexes there are */
  constructor(readonly count: number) {
    this.#eventfds = Array(count).fill(undefined);
  }

  /** Answers VFIO_DEVICE_GET_IRQ_INFO. @throws EFAULT; EINVAL for an index that is not there */
  info(arg: UserPointer): number {
    return getIrqInfo(arg, this.count, (info) => {
      info.flags = VFIO_IRQ_INFO_EVENTFD;
      info.count = 1;
    });
  }

  /**
   * Answers VFIO_DEVICE_SET_IRQS. A descriptor of -1 takes the eventfd away.
   * @throws EFAULT, EBADF; EINVAL for anything but triggering, and for what is no eventfd
   */
  set(arg: UserPointer, caller: Caller): number {
    const { action, index, count, dataType, data } = readIrqSet(arg, () => 1, this.count);
    if (action !== VFIO_IRQ_SET_ACTION_TRIGGER) throw new KernelError(Errno.EINVAL);
    if (dataType === VFIO_IRQ_SET_DATA_NONE) {
      if (count === 0) this.#replace(index, undefined);
      else this.trigger(index);
    } else if (count !== 1) throw new KernelError(Errno.EINVAL);
    else if (dataType === VFIO_IRQ_SET_DATA_EVENTFD) {
      const fd = data.readInt32LE(0);
      if (fd < -1) throw new KernelError(Errno.EINVAL);
      this.#replace(index, fd === -1 ? undefined : eventfdOf(caller, fd));
    } else if (data[0] !== 0) this.trigger(index);
    return 0;
  }

  trigger(index: number): void {
    this.#eventfds[index]?.signal();
  }

  #replace(index: number, eventfd: Eventfd | undefined): void {
    this.#eventfds[index]?.put();
    this.#eventfds[index] = eventfd;
  }

  /** Gives the eventfds back. */
  disable(): void {
    for (let index = 0; index < this.count; index++) this.#replace(index, undefined);
  }
}
