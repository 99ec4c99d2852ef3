/**
 * The interrupt of an emulated PCI card with one INTx line and one MSI vector (samples/vfio-mdev/mtty.c `mtty_set_irqs`,
 * which follows drivers/vfio/pci/vfio_pci_intrs.c): whichever has an eventfd is in use. INTx masks itself when it fires,
 * until user space unmasks it.
 *
 * The mtty card only triggers. A device that holds its INTx line until the cause is gone says so by
 * {@link VfioPciIrq.setLine}, and then what vfio-pci does for such hardware is done (`vfio_pci_intx_mask`,
 * `vfio_pci_intx_unmask_handler`).
 * @module
 */

import type { Eventfd } from '../base/eventfd.js';
import type { Caller } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
} from '../uapi/vfio-irq.js';
import { eventfdOf, type IrqSet } from './irq.js';

function fail(errno: number): never {
  throw new KernelError(errno);
}

export class VfioPciIrq {
  /** VFIO_PCI_INTX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX, with its eventfd. */
  #armed: { readonly index: number; readonly eventfd: Eventfd } | undefined;
  #intxMasked = false;
  /** Whether the device holds the INTx line. */
  #asserted = false;
  /** PCI_COMMAND_INTX_DISABLE. */
  #intxDisabled = false;

  /** Whether MSI has an eventfd, and INTx therefore none. */
  get msi(): boolean {
    return this.#armed?.index === VFIO_PCI_MSI_IRQ_INDEX;
  }

  /**
   * What the device does with its INTx line. While it holds it, INTx fires whenever it is armed, enabled or unmasked.
   * @param disabled whether PCI_COMMAND_INTX_DISABLE keeps the line from being heard, which masks it; the end of that
   * unmasks it
   */
  setLine(asserted: boolean, disabled: boolean): void {
    this.#asserted = asserted;
    if (disabled !== this.#intxDisabled) this.#intxMasked = disabled;
    this.#intxDisabled = disabled;
    this.#sense();
  }

  #sense(): void {
    if (this.#asserted && !this.msi) this.trigger();
  }

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
    if (this.#armed?.index === VFIO_PCI_INTX_IRQ_INDEX) this.#intxMasked = this.#intxDisabled;
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
    if (dataType !== VFIO_IRQ_SET_DATA_NONE && data[0] === 0) return;
    this.#intxMasked = masked || this.#intxDisabled;
    this.#sense();
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
      this.#sense();
      return;
    }
    if (armed === undefined) fail(Errno.EINVAL);
    if (dataType === VFIO_IRQ_SET_DATA_NONE || data[0] !== 0) this.trigger();
  }
}
