/**
 * The interrupt of the mtty card (samples/vfio-mdev/mtty.c `mtty_set_irqs`, `mtty_trigger_interrupt`): INTx or MSI,
 * whichever has an eventfd. INTx masks itself when it fires, until user space unmasks it.
 * @module
 */

import type { Eventfd } from '../base/eventfd.js';
import type { Caller } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  type IrqInfo,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
} from '../uapi/vfio-irq.js';
import { eventfdOf, type IrqSet } from '../vfio/irq.js';

function fail(errno: number): never {
  throw new KernelError(errno);
}

/** What VFIO_DEVICE_GET_IRQ_INFO says. @throws EINVAL for an index that the card has nothing at */
export function describeMttyIrq(info: IrqInfo): void {
  const { index } = info;
  if (index !== VFIO_PCI_INTX_IRQ_INDEX && index !== VFIO_PCI_MSI_IRQ_INDEX) fail(Errno.EINVAL);
  info.count = 1;
  info.flags =
    VFIO_IRQ_INFO_EVENTFD |
    (index === VFIO_PCI_INTX_IRQ_INDEX
      ? VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED
      : VFIO_IRQ_INFO_NORESIZE);
}

export class MttyIrq {
  /** VFIO_PCI_INTX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX, with its eventfd. */
  #armed: { readonly index: number; readonly eventfd: Eventfd } | undefined;
  #intxMasked = false;

  trigger(): void {
    if (!this.#armed) return;
    if (this.#armed.index === VFIO_PCI_INTX_IRQ_INDEX) {
      if (this.#intxMasked) return;
      this.#intxMasked = true;
    }
    this.#armed.eventfd.signal();
  }

  /** Nothing is signalled any more. */
  disable(): void {
    this.#armed?.eventfd.put();
    if (this.#armed?.index === VFIO_PCI_INTX_IRQ_INDEX) this.#intxMasked = false;
    this.#armed = undefined;
  }

  /**
   * VFIO_DEVICE_SET_IRQS. A set of several actions, or of none, is taken for done.
   * @throws ENOTTY for an index that the card has nothing at, for masking MSI, and for an eventfd that shall mask or
   * unmask
   * @throws EINVAL while the other interrupt has an eventfd, for masking or triggering one that has none, for any other
   * number of interrupts than one, for a descriptor of no eventfd; EBADF for no descriptor
   */
  set(set: IrqSet, caller: Caller): void {
    const { index, action } = set;
    if (index > VFIO_PCI_MSI_IRQ_INDEX) fail(Errno.ENOTTY);
    if (action === VFIO_IRQ_SET_ACTION_TRIGGER) this.#setTrigger(set, caller);
    else if (action === VFIO_IRQ_SET_ACTION_MASK) this.#setMask(set, true);
    else if (action === VFIO_IRQ_SET_ACTION_UNMASK) this.#setMask(set, false);
  }

  #setMask({ index, start, count, dataType, data }: IrqSet, masked: boolean): void {
    if (index !== VFIO_PCI_INTX_IRQ_INDEX) fail(Errno.ENOTTY);
    if (this.#armed?.index !== index || start !== 0 || count !== 1) fail(Errno.EINVAL);
    if (dataType === VFIO_IRQ_SET_DATA_EVENTFD) fail(Errno.ENOTTY);
    if (dataType === VFIO_IRQ_SET_DATA_NONE || data[0] !== 0) this.#intxMasked = masked;
  }

  #setTrigger({ index, start, count, dataType, data }: IrqSet, caller: Caller): void {
    const armed = this.#armed?.index;
    if (armed === index && count === 0 && dataType === VFIO_IRQ_SET_DATA_NONE) {
      this.disable();
      return;
    }
    if ((armed !== undefined && armed !== index) || start !== 0 || count !== 1) fail(Errno.EINVAL);
    if (dataType === VFIO_IRQ_SET_DATA_EVENTFD) {
      // The old eventfd goes first, also when the new descriptor is no good.
      this.disable();
      const fd = data.readInt32LE(0);
      if (fd >= 0) this.#armed = { index, eventfd: eventfdOf(caller, fd) };
      return;
    }
    if (armed === undefined) fail(Errno.EINVAL);
    if (dataType === VFIO_IRQ_SET_DATA_NONE || data[0] !== 0) this.trigger();
  }
}
