/**
 * An open /dev/iommu (`struct iommufd_ctx`, drivers/iommu/iommufd/main.c): its objects, and its requests, those of a
 * VFIO container among them.
 *
 * A device that is bound keeps it open: the objects go when the last descriptor is closed and the last device unbound.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import * as uapi from '../uapi/iommufd.js';
import type { DmaUser } from './backend.js';
import { Ioas } from './ioas.js';
import { ioasAlloc, ioasAllowIovas, ioasCopy, ioasIovaRanges, ioasMap, ioasUnmap } from './ioas-ioctl.js';
import { IommufdAccess } from './iommufd-access.js';
import { IommufdCmd } from './iommufd-cmd.js';
import { faultQueueAlloc } from './iommufd-fault.js';
import {
  getHwInfo,
  hwptAlloc,
  hwptGetDirtyBitmap,
  hwptInvalidate,
  hwptSetDirtyTracking,
} from './iommufd-hwpt.js';
import { IommufdObjects } from './iommufd-object.js';
import { iommufdOption } from './iommufd-option.js';
import { iommufdVfioIoctl, vfioIoas } from './iommufd-vfio.js';

interface IommufdOp {
  readonly struct: uapi.IommuStruct;
  readonly execute: (ctx: IommufdCtx, cmd: IommufdCmd) => void;
}

const ops = new Map<number, IommufdOp>([
  [uapi.IOMMU_DESTROY, { struct: uapi.IOMMU_DESTROY_STRUCT, execute: destroy }],
  [uapi.IOMMU_IOAS_ALLOC, { struct: uapi.IOAS_ALLOC_STRUCT, execute: ioasAlloc }],
  [uapi.IOMMU_IOAS_ALLOW_IOVAS, { struct: uapi.IOAS_ALLOW_IOVAS_STRUCT, execute: ioasAllowIovas }],
  [uapi.IOMMU_IOAS_COPY, { struct: uapi.IOAS_COPY_STRUCT, execute: ioasCopy }],
  [uapi.IOMMU_IOAS_IOVA_RANGES, { struct: uapi.IOAS_IOVA_RANGES_STRUCT, execute: ioasIovaRanges }],
  [uapi.IOMMU_IOAS_MAP, { struct: uapi.IOAS_MAP_STRUCT, execute: ioasMap }],
  [uapi.IOMMU_IOAS_UNMAP, { struct: uapi.IOAS_UNMAP_STRUCT, execute: ioasUnmap }],
  [uapi.IOMMU_OPTION, { struct: uapi.IOMMU_OPTION_STRUCT, execute: iommufdOption }],
  [uapi.IOMMU_VFIO_IOAS, { struct: uapi.VFIO_IOAS_STRUCT, execute: vfioIoas }],
  [uapi.IOMMU_HWPT_ALLOC, { struct: uapi.HWPT_ALLOC_STRUCT, execute: hwptAlloc }],
  [uapi.IOMMU_GET_HW_INFO, { struct: uapi.HW_INFO_STRUCT, execute: getHwInfo }],
  [
    uapi.IOMMU_HWPT_SET_DIRTY_TRACKING,
    { struct: uapi.HWPT_SET_DIRTY_TRACKING_STRUCT, execute: hwptSetDirtyTracking },
  ],
  [
    uapi.IOMMU_HWPT_GET_DIRTY_BITMAP,
    { struct: uapi.HWPT_GET_DIRTY_BITMAP_STRUCT, execute: hwptGetDirtyBitmap },
  ],
  [uapi.IOMMU_HWPT_INVALIDATE, { struct: uapi.HWPT_INVALIDATE_STRUCT, execute: hwptInvalidate }],
  [uapi.IOMMU_FAULT_QUEUE_ALLOC, { struct: uapi.FAULT_ALLOC_STRUCT, execute: faultQueueAlloc }],
]);

/** @throws ENOENT for an unknown object; EBUSY for one that is used, by a device bound or attached for one */
function destroy(ctx: IommufdCtx, cmd: IommufdCmd): void {
  const object = ctx.objects.remove(uapi.decodeDestroy(cmd.bytes).id);
  if (object === ctx.compatIoas) ctx.compatIoas = undefined;
}

export interface IommufdCtxOptions {
  /** Whether the kernel knows devices without an IOMMU (CONFIG_VFIO_NOIOMMU). */
  readonly noiommu: boolean;
  /** The last reference is gone. */
  readonly released?: (ctx: IommufdCtx) => void;
}

export class IommufdCtx extends CharFile {
  readonly objects = new IommufdObjects();
  /** The address space that requests of a VFIO container mean. */
  compatIoas: Ioas | undefined;
  /** Whether locked memory counts for the process instead of its user. */
  accountMm = false;

  constructor(readonly options: IommufdCtxOptions) {
    super();
  }

  /**
   * @throws ENOTTY for an unknown request; EFAULT; EINVAL for a structure that is too small; E2BIG for one with
   *   something unknown in it; what the request says
   */
  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    this.objects.payer ??= caller.memory;
    const number = (request & 0xff) - uapi.IOMMUFD_CMD_BASE;
    if (number < 0 || number >= uapi.IOMMUFD_CMD_COUNT) return iommufdVfioIoctl(this, request, arg, caller);
    // The size is read before it is known whether the request is one of ours by more than its lowest byte.
    const userSize = arg.read(4).readUInt32LE(0);
    const op = ops.get(request);
    if (!op) throw new KernelError(Errno.ENOTTY);
    op.execute(this, new IommufdCmd(arg, caller, userSize, op.struct));
    return 0;
  }

  /** @throws ENOENT when there is no address space of that number */
  ioas(id: number): Ioas {
    return this.objects.get(id, Ioas);
  }

  /** Binds a device without an IOMMU (`vfio_iommufd_emulated_bind`). It keeps the iommufd open until it is unbound. */
  bind(user: DmaUser): IommufdAccess {
    const access = new IommufdAccess(this, this.objects.reserve(), user);
    access.users++;
    this.get();
    this.objects.finalize(access);
    return access;
  }

  /** Makes the address space for container requests unless there is one (`iommufd_vfio_compat_ioas_create`). */
  createCompatIoas(): void {
    if (this.compatIoas) return;
    this.compatIoas = new Ioas(this.objects.reserve());
    this.objects.finalize(this.compatIoas);
  }

  /**
   * Its number (`iommufd_vfio_compat_ioas_get_id`).
   * @throws ENODEV when there is none
   */
  get compatIoasId(): number {
    return this.requireCompatIoas().id;
  }

  /** @throws ENODEV when there is none */
  requireCompatIoas(): Ioas {
    if (!this.compatIoas) throw new KernelError(Errno.ENODEV);
    return this.compatIoas;
  }

  /** For debugfs: each address space with its devices, and a line for each of its mappings. */
  ledger(): string {
    let text = '';
    for (const object of this.objects) {
      if (object instanceof IommufdAccess) text += `access ${object.id} ${object.user.name}\n`;
      if (object instanceof Ioas) text += `ioas ${object.id} devices=${object.users - 1}\n${object.ledger()}`;
    }
    return text;
  }

  protected override release(): void {
    this.compatIoas = undefined;
    this.objects.removeAll();
    this.options.released?.(this);
  }
}
