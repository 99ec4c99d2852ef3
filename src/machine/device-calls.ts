/**
 * System calls on open devices, with the faults that are meant for them. What cannot wait has no delays.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import type { DeviceNode } from '../base/devtmpfs.js';
import type { DeviceCall } from '../base/fault.js';
import type { Caller, CharFile, UserPointer } from '../base/file.js';
import { faultOf } from '../kernfs/fault.js';
import { Errno, KernelError } from '../lib/errno.js';
import { type Fault, failWith, shortened, struck } from '../lib/fault.js';
import type { Sleeps } from '../lib/sleep.js';
import type { Namespace } from './namei.js';
import { OpenFile } from './open-file.js';

function einval(): never {
  throw new KernelError(Errno.EINVAL);
}

/** Makes the call of a device; of a real process, it may have to be made again (host/stub/restart.ts). */
export type Runs = <T>(call: () => Sleeps<T>) => Sleeps<T>;

const once: Runs = (call) => call();

export class DeviceCalls {
  constructor(
    readonly core: DriverCore,
    readonly namespace: Namespace,
  ) {}

  /**
   * Opens a node; who may, somebody else has asked.
   * @param flags as they are kept
   * @throws ENXIO when no driver answers for it; what the driver says
   */
  open(node: DeviceNode, flags: number): OpenFile {
    failWith(faultOf(node, 'open'));
    return new OpenFile(node, flags, undefined, this.core.devts.open(node.devt).get());
  }

  /** @throws what the device says; ENOTTY where it takes no requests */
  ioctl(
    file: OpenFile,
    device: CharFile,
    request: number,
    arg: UserPointer,
    caller: Caller,
    runs = once,
  ): Sleeps<number> {
    if (!device.ioctl) throw new KernelError(Errno.ENOTTY);
    return struck(this.#faultOf(file, device, { operation: 'ioctl', request }), () =>
      runs(() => device.ioctl!(request, arg, caller)),
    );
  }

  /** @throws EINVAL for a device that cannot be read */
  read(file: OpenFile, device: CharFile, length: number, offset: number): Uint8Array;
  read(file: OpenFile, device: CharFile, length: number, offset: number, runs: Runs): Sleeps<Uint8Array>;
  read(file: OpenFile, device: CharFile, length: number, offset: number, runs = once): Sleeps<Uint8Array> {
    const fault = this.#faultOf(file, device, { operation: 'read' });
    failWith(fault);
    const size = shortened(fault, length);
    return runs(() => device.read?.(size, offset) ?? einval());
  }

  /** @throws EINVAL for a device that cannot be written */
  write(file: OpenFile, device: CharFile, data: Uint8Array, offset: number, runs = once): Sleeps<number> {
    const fault = this.#faultOf(file, device, { operation: 'write' });
    if (!fault) return runs(() => device.write?.(data, offset) ?? einval());
    const bytes = data.subarray(0, shortened(fault, data.length));
    return struck(fault, () => runs(() => device.write?.(bytes, offset) ?? einval()));
  }

  /** @throws what the device says */
  mmap(file: OpenFile, device: CharFile, offset: number, length: number): Uint8Array {
    failWith(this.#faultOf(file, device, { operation: 'mmap' }));
    return device.mmap!(offset, length);
  }

  #faultOf(file: OpenFile, device: CharFile, call: Omit<DeviceCall, 'path'>): Fault | undefined {
    const { faults } = this.core;
    if (!faults) return undefined;
    return faults.call(device, { ...call, path: device.name ?? this.namespace.pathOf(file.node) });
  }
}
