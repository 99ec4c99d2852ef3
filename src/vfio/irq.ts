/**
 * Interrupts of VFIO devices as drivers share them: what GET_IRQ_INFO and SET_IRQS check before the driver is asked
 * (drivers/vfio/vfio_main.c `vfio_set_irqs_validate_and_prepare`), and the eventfd that a device signals.
 * @module
 */

import { Eventfd } from '../base/eventfd.js';
import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeIrqInfo,
  decodeIrqSet,
  encodeIrqInfo,
  IRQ_INFO_SIZE,
  IRQ_SET_SIZE,
  type IrqInfo,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
} from '../uapi/vfio-irq.js';

const U32_MAX = 0xffff_ffff;

/** A request to change interrupts, checked. */
export interface IrqSet {
  readonly index: number;
  readonly start: number;
  readonly count: number;
  /** One of VFIO_IRQ_SET_DATA_*. */
  readonly dataType: number;
  /** VFIO_IRQ_SET_ACTION_*; nobody has checked that it is exactly one. */
  readonly action: number;
  /** A byte or a descriptor for each interrupt, or nothing. */
  readonly data: Buffer;
}

function invalid(): never {
  throw new KernelError(Errno.EINVAL);
}

/**
 * Answers VFIO_DEVICE_GET_IRQ_INFO.
 * @param numIrqs how many indexes the device has
 * @param describe fills in flags and count; what it leaves stays as the caller had it
 * @throws EFAULT; EINVAL for a structure that is too small and for an index that the device does not have
 */
export function getIrqInfo(arg: UserPointer, numIrqs: number, describe: (info: IrqInfo) => void): number {
  const info = decodeIrqInfo(arg.read(IRQ_INFO_SIZE));
  if (info.argsz < IRQ_INFO_SIZE || info.index >= numIrqs) invalid();
  describe(info);
  arg.write(encodeIrqInfo(info));
  return 0;
}

/**
 * Reads and checks the argument of VFIO_DEVICE_SET_IRQS.
 * @param numIrqs how many interrupts an index has
 * @param maxIndex how many indexes there are
 * @throws EFAULT for a header or data that is not there
 * @throws EINVAL for a structure too small for its header or its data, an unknown index or flag, interrupts that the
 * index does not have, and unless the data is of exactly one type
 */
export function readIrqSet(arg: UserPointer, numIrqs: (index: number) => number, maxIndex: number): IrqSet {
  const { argsz, flags, index, start, count } = decodeIrqSet(arg.read(IRQ_SET_SIZE));
  const known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
  if (argsz < IRQ_SET_SIZE || index >= maxIndex || count >= U32_MAX - start || flags & ~known) invalid();
  const irqs = numIrqs(index);
  if (start >= irqs || start + count > irqs) invalid();
  const dataType = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
  const size = count * bytesOf(dataType);
  if (argsz - IRQ_SET_SIZE < size) invalid();
  const data = size > 0 ? arg.read(size, IRQ_SET_SIZE) : Buffer.alloc(0);
  return { index, start, count, dataType, action: flags & VFIO_IRQ_SET_ACTION_TYPE_MASK, data };
}

/** Bytes of data for one interrupt. */
function bytesOf(dataType: number): number {
  switch (dataType) {
    case VFIO_IRQ_SET_DATA_NONE:
      return 0;
    case VFIO_IRQ_SET_DATA_BOOL:
      return 1;
    case VFIO_IRQ_SET_DATA_EVENTFD:
      return 4;
    default:
      return invalid();
  }
}

/**
 * The eventfd behind a descriptor, with a reference that the device has to give back (`eventfd_ctx_fdget`).
 * @throws EBADF for no open file; EINVAL for another kind of file
 */
export function eventfdOf(caller: Caller, fd: number): Eventfd {
  const file = caller.fget(fd);
  return file instanceof Eventfd ? file.get() : invalid();
}
