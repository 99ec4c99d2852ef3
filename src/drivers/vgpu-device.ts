/**
 * The PCI device behind a vGPU, laid out as vfio-pci lays out a real one (drivers/vfio/pci/vfio_pci_core.c,
 * vfio_pci_rdwr.c): registers in base address 0, memory in base address 1, INTx, MSI, and an interrupt by which the
 * device is asked back. docs/vgpu-device.md describes it to whoever programs it.
 *
 * Differs: no real GPU is like this; the device is reset when its last user has gone.
 * @module
 */

import type { Eventfd } from '../base/eventfd.js';
import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { PciConfig } from '../pci/config.js';
import type { PciFunction } from '../pci/function.js';
import {
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
} from '../pci/regs.js';
import {
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_BAR1_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../uapi/vfio.js';
import {
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '../uapi/vfio-irq.js';
import { readPieces, writePieces } from '../vfio/access.js';
import type { VfioDevice } from '../vfio/device.js';
import { eventfdOf, getIrqInfo, type IrqSet, readIrqSet } from '../vfio/irq.js';
import { VfioPciIrq } from '../vfio/pci-irq.js';
import { getDeviceInfo, getRegionInfo, mmapFlag, type Region } from '../vfio/region.js';
import { VGPU_CONFIG_SIZE, VGPU_MEMORY_SIZE, VGPU_REGISTERS_SIZE, vgpuConfig } from './vgpu-config.js';
import { type EngineOwner, VgpuEngine } from './vgpu-engine.js';

/** A region begins at its index times this. */
const REGION_SPACING = 2 ** 40;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
const HAS_IRQ: readonly number[] = [VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX];

function fail(errno: number): never {
  throw new KernelError(errno);
}

const irqCount = (index: number) => (HAS_IRQ.includes(index) ? 1 : 0);

export class VgpuDevice implements EngineOwner {
  readonly memorySize = VGPU_MEMORY_SIZE;
  readonly #engine: VgpuEngine;
  readonly #irq = new VfioPciIrq();
  #config: PciConfig;
  #memory: Buffer | undefined;
  /** By which user space is asked to let the device go. */
  #request: Eventfd | undefined;

  constructor(
    readonly vdev: VfioDevice,
    readonly parent: PciFunction,
  ) {
    this.#config = vgpuConfig(parent);
    this.#engine = new VgpuEngine(this);
  }

  get memory(): Buffer {
    const offset = VFIO_PCI_BAR1_REGION_INDEX * REGION_SPACING;
    this.#memory ??= this.vdev.core.devicePages.alloc(this.vdev, offset, this.memorySize);
    return this.#memory;
  }

  get busMaster(): boolean {
    return (this.#config.u16(PCI_COMMAND) & PCI_COMMAND_MASTER) !== 0;
  }

  /** INTx is a line, which is looked at when the write has been done. */
  interrupt(): void {
    if (this.#irq.msi) this.#irq.trigger();
  }

  /** After whatever may have changed the cause of an interrupt, or whether INTx is disabled. */
  #senseLine(): void {
    const disabled = (this.#config.u16(PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) !== 0;
    this.#irq.setLine(this.#engine.interrupting, disabled);
  }

  /** The status bit tells of the cause, whether or not INTx is disabled. */
  #readConfig(at: number, length: number): Uint8Array {
    const pending = this.#engine.interrupting && !this.#irq.msi;
    this.#config.update(PCI_STATUS, pending ? PCI_STATUS_INTERRUPT : 0, PCI_STATUS_INTERRUPT);
    return this.#config.read(at, length);
  }

  /** @throws ENOTTY for a request that is none of these, and what each says */
  ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_DEVICE_GET_INFO: {
        const flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
        return getDeviceInfo(arg, {
          flags,
          numRegions: VFIO_PCI_NUM_REGIONS,
          numIrqs: VFIO_PCI_NUM_IRQS,
        });
      }
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, (index) => region(index, mmapFlag(this.vdev.core)));
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(arg, VFIO_PCI_NUM_IRQS, (info) => {
          if (info.index === VFIO_PCI_ERR_IRQ_INDEX) fail(Errno.EINVAL);
          const more =
            info.index === VFIO_PCI_INTX_IRQ_INDEX
              ? VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED
              : VFIO_IRQ_INFO_NORESIZE;
          info.flags = VFIO_IRQ_INFO_EVENTFD | more;
          info.count = irqCount(info.index);
        });
      case VFIO_DEVICE_SET_IRQS: {
        const set = readIrqSet(arg, irqCount, VFIO_PCI_NUM_IRQS);
        if (set.index === VFIO_PCI_REQ_IRQ_INDEX) this.#setRequest(set, caller);
        else this.#irq.set(set, caller);
        return 0;
      }
      case VFIO_DEVICE_RESET:
        this.#reset();
        return 0;
      default:
        return fail(Errno.ENOTTY);
    }
  }

  /** @throws ENOTTY for anything but triggering it */
  #setRequest({ action, count, dataType, data }: IrqSet, caller: Caller): void {
    if (action !== VFIO_IRQ_SET_ACTION_TRIGGER) fail(Errno.ENOTTY);
    if (dataType === VFIO_IRQ_SET_DATA_NONE) {
      if (count === 0) this.#putRequest();
      else this.#request?.signal();
      return;
    }
    if (count !== 1) fail(Errno.EINVAL);
    if (dataType !== VFIO_IRQ_SET_DATA_EVENTFD) {
      if (data[0] !== 0) this.#request?.signal();
      return;
    }
    const fd = data.readInt32LE(0);
    const eventfd = fd >= 0 ? eventfdOf(caller, fd) : undefined;
    this.#putRequest();
    this.#request = eventfd;
  }

  #putRequest(): void {
    this.#request?.put();
    this.#request = undefined;
  }

  /** The device is wanted back. */
  request(): void {
    this.#request?.signal();
  }

  dmaUnmap(iova: bigint, length: bigint): void {
    this.#engine.pins.dmaUnmap(iova, length);
  }

  /**
   * A base address gives no more than it has.
   * @throws EINVAL for a region that is not there, and at or beyond its end; EFAULT beyond the configuration space
   */
  read(length: number, offset: number): Uint8Array {
    const { index, at, left } = place(offset, length);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) return this.#readConfig(at, left);
    if (index === VFIO_PCI_BAR1_REGION_INDEX) return Buffer.from(this.memory.subarray(at, at + left));
    return readPieces(left, at, (register, size) => this.#engine.read(register, size));
  }

  /** Same errors as {@link read}. */
  write(bytes: Uint8Array, offset: number): number {
    const { index, at, left } = place(offset, bytes.length);
    const written = bytes.subarray(0, left);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) this.#config.write(written, at);
    else if (index === VFIO_PCI_BAR1_REGION_INDEX) this.memory.set(written, at);
    else writePieces(written, at, (register, value, size) => this.#engine.write(register, value, size));
    if (index !== VFIO_PCI_BAR1_REGION_INDEX) this.#senseLine();
    return left;
  }

  /** @throws EINVAL for anything but a part of base address 1 */
  mmap(offset: number, length: number): Uint8Array {
    const at = offset - VFIO_PCI_BAR1_REGION_INDEX * REGION_SPACING;
    if (at < 0 || at + length > this.memorySize) fail(Errno.EINVAL);
    return this.memory.subarray(at, at + length);
  }

  /** Eventfds and memory stay. */
  #reset(): void {
    this.#config = vgpuConfig(this.parent);
    this.#engine.reset();
    this.#senseLine();
  }

  /** The last user has gone: nothing is held any more. */
  close(): void {
    this.#engine.reset();
    this.#irq.disable();
    this.#putRequest();
  }
}

function sizeOf(index: number): number {
  switch (index) {
    case VFIO_PCI_BAR0_REGION_INDEX:
      return VGPU_REGISTERS_SIZE;
    case VFIO_PCI_BAR1_REGION_INDEX:
      return VGPU_MEMORY_SIZE;
    case VFIO_PCI_CONFIG_REGION_INDEX:
      return VGPU_CONFIG_SIZE;
    default:
      return 0;
  }
}

function region(index: number, mmap: number): Region {
  if (index >= VFIO_PCI_NUM_REGIONS) fail(Errno.EINVAL);
  const size = sizeOf(index);
  const flags = index === VFIO_PCI_BAR1_REGION_INDEX ? READ_WRITE | mmap : READ_WRITE;
  return { size, offset: index * REGION_SPACING, flags: size > 0 ? flags : 0 };
}

/** The region at an offset of the device, the offset there, and how many of some bytes are there. */
function place(offset: number, length: number): { index: number; at: number; left: number } {
  const index = Math.floor(offset / REGION_SPACING);
  const at = offset % REGION_SPACING;
  const left = sizeOf(index) - at;
  if (index === VFIO_PCI_CONFIG_REGION_INDEX && length > left) fail(Errno.EFAULT);
  if (left <= 0) fail(Errno.EINVAL);
  return { index, at, left: Math.min(length, left) };
}
