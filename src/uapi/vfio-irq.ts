/**
 * Numbers and layouts of interrupts of VFIO devices (include/uapi/linux/vfio.h). All integers are little endian.
 * @module
 */

export const VFIO_DEVICE_GET_IRQ_INFO = 0x3b6d;
export const VFIO_DEVICE_SET_IRQS = 0x3b6e;
export const VFIO_DEVICE_RESET = 0x3b6f;

/** Interrupts of a PCI device, by index. */
export const VFIO_PCI_INTX_IRQ_INDEX = 0;
export const VFIO_PCI_MSI_IRQ_INDEX = 1;
export const VFIO_PCI_MSIX_IRQ_INDEX = 2;
export const VFIO_PCI_ERR_IRQ_INDEX = 3;
export const VFIO_PCI_REQ_IRQ_INDEX = 4;

/** struct vfio_irq_info: argsz, flags, index, count. */
export const IRQ_INFO_SIZE = 16;
export const VFIO_IRQ_INFO_EVENTFD = 1;
export const VFIO_IRQ_INFO_MASKABLE = 2;
export const VFIO_IRQ_INFO_AUTOMASKED = 4;
export const VFIO_IRQ_INFO_NORESIZE = 8;

export interface IrqInfo {
  argsz: number;
  flags: number;
  index: number;
  count: number;
}

export function decodeIrqInfo(bytes: Buffer): IrqInfo {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    index: bytes.readUInt32LE(8),
    count: bytes.readUInt32LE(12),
  };
}

export function encodeIrqInfo({ argsz, flags, index, count }: IrqInfo): Buffer {
  const bytes = Buffer.alloc(IRQ_INFO_SIZE);
  for (const [n, value] of [argsz, flags, index, count].entries()) bytes.writeUInt32LE(value, 4 * n);
  return bytes;
}

/** struct vfio_irq_set: argsz, flags, index, start, count, data. */
export const IRQ_SET_SIZE = 20;
export const VFIO_IRQ_SET_DATA_NONE = 1;
export const VFIO_IRQ_SET_DATA_BOOL = 2;
export const VFIO_IRQ_SET_DATA_EVENTFD = 4;
export const VFIO_IRQ_SET_ACTION_MASK = 8;
export const VFIO_IRQ_SET_ACTION_UNMASK = 16;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 32;
export const VFIO_IRQ_SET_DATA_TYPE_MASK = 7;
export const VFIO_IRQ_SET_ACTION_TYPE_MASK = 56;

export interface IrqSetHeader {
  argsz: number;
  flags: number;
  index: number;
  start: number;
  count: number;
}

export function decodeIrqSet(bytes: Buffer): IrqSetHeader {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    index: bytes.readUInt32LE(8),
    start: bytes.readUInt32LE(12),
    count: bytes.readUInt32LE(16),
  };
}
