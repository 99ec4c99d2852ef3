/**
 * Fault queues of an iommufd (drivers/iommu/iommufd/fault.c): a file from which user space reads the page faults of
 * devices. Devices without an IOMMU have none, so a queue stays empty.
 * @module
 */

import { CharFile } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import * as uapi from '../uapi/iommufd.js';
import type { IommufdCmd } from './iommufd-cmd.js';
import type { IommufdCtx } from './iommufd-ctx.js';
import { IommufdObject } from './iommufd-object.js';

const POLLOUT = 4;

class IommufdFault extends IommufdObject {
  destroy(): void {}
}

/** The file of a queue. It keeps the queue and the iommufd. */
class IommufdFaultFile extends CharFile {
  override readonly name = 'anon_inode:[iommufd-pgfault]';

  constructor(
    readonly ctx: IommufdCtx,
    readonly fault: IommufdFault,
  ) {
    super();
    ctx.get();
    fault.users++;
  }

  /** @throws ESPIPE for a length that is no multiple of a fault's */
  override read(length: number): Uint8Array {
    if (length % uapi.HWPT_PGFAULT_SIZE !== 0) throw new KernelError(Errno.ESPIPE);
    return Buffer.alloc(0);
  }

  /** @throws ESPIPE for a length that is no multiple of a response's; EINVAL for an answer to no fault */
  override write(bytes: Uint8Array): number {
    if (bytes.length % uapi.HWPT_PAGE_RESPONSE_SIZE !== 0) throw new KernelError(Errno.ESPIPE);
    if (bytes.length > 0) throw new KernelError(Errno.EINVAL);
    return 0;
  }

  override poll(): number {
    return POLLOUT;
  }

  protected override release(): void {
    this.fault.users--;
    this.ctx.put();
  }
}

/** @throws EOPNOTSUPP for flags; EFAULT */
export function faultQueueAlloc(ctx: IommufdCtx, cmd: IommufdCmd): void {
  if (uapi.decodeFaultAlloc(cmd.bytes).flags) throw new KernelError(Errno.EOPNOTSUPP);
  const id = ctx.objects.reserve();
  cmd.bytes.writeUInt32LE(id, uapi.FAULT_ALLOC_OUT_FAULT_ID);
  try {
    // Before there is a descriptor that would have to be taken back.
    cmd.respond();
  } catch (error) {
    ctx.objects.abort(id);
    throw error;
  }
  const fault = new IommufdFault(id);
  ctx.objects.finalize(fault);
  const fd = cmd.caller.install(new IommufdFaultFile(ctx, fault));
  cmd.bytes.writeUInt32LE(fd, uapi.FAULT_ALLOC_OUT_FAULT_FD);
  cmd.respond();
}
