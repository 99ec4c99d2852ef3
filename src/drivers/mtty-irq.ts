/**
 * What interrupts the mtty card says it has (samples/vfio-mdev/mtty.c `mtty_get_irq_info`): INTx and MSI, one of each.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import {
  type IrqInfo,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
} from '../uapi/vfio-irq.js';

/** Answers VFIO_DEVICE_GET_IRQ_INFO. @throws EINVAL for an index that the card has nothing at */
export function describeMttyIrq(info: IrqInfo): void {
  const { index } = info;
  if (index !== VFIO_PCI_INTX_IRQ_INDEX && index !== VFIO_PCI_MSI_IRQ_INDEX) {
    throw new KernelError(Errno.EINVAL);
  }
  info.count = 1;
  info.flags =
    VFIO_IRQ_INFO_EVENTFD |
    (index === VFIO_PCI_INTX_IRQ_INDEX
      ? VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED
      : VFIO_IRQ_INFO_NORESIZE);
}
