/**
 * An open VFIO device (drivers/vfio/vfio_main.c, group.c, device_cdev.c): a descriptor that VFIO_GROUP_GET_DEVICE_FD gave
 * out, or an open node below /dev/vfio/devices. Both are the same kind of file. The first of them has access at once; the
 * other one once it is bound to an iommufd, and until then everything else is EINVAL.
 * @module
 */

import type { Device } from '../base/device.js';
import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { IommufdCtx } from '../iommu/iommufd-ctx.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
} from '../uapi/vfio.js';
import { VFIO_DEVICE_FEATURE } from '../uapi/vfio-feature.js';
import type { VfioDevice } from './device.js';
import { vfioDeviceFeature } from './feature.js';
import type { VfioGroupFile } from './group-file.js';

/** struct vfio_device_bind_iommufd: argsz, flags, iommufd, out_devid. */
const BIND_SIZE = 16;
/** struct vfio_device_attach_iommufd_pt: argsz, flags, pt_id. */
const ATTACH_SIZE = 12;
/** struct vfio_device_detach_iommufd_pt: argsz, flags. */
const DETACH_SIZE = 8;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class VfioDeviceFile extends CharFile {
  /** The VM that this file was added to. */
  kvm: CharFile | undefined;
  override readonly name: string | undefined;
  #access = false;

  /**
   * @param group the open group that hands the device out, or none for the device's own node
   * @throws ENODEV when the device was unregistered
   */
  constructor(
    readonly vdev: VfioDevice,
    readonly group?: VfioGroupFile,
  ) {
    super();
    this.name = group && 'anon_inode:[vfio-device]';
    if (!vdev.tryGet()) fail(Errno.ENODEV);
  }

  override get subject(): Device {
    return this.vdev.device;
  }

  /**
   * Opens the device through its group (`vfio_df_group_open`).
   * @throws EINVAL when the group is in no container and has no iommufd; what the driver's openDevice throws
   */
  openInGroup(group: VfioGroupFile): void {
    const { vdev } = this;
    if (!group.joined) fail(Errno.EINVAL);
    vdev.open(group.kvm, () => group.use(vdev));
    this.#access = true;
  }

  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    const { vdev } = this;
    if (request === VFIO_DEVICE_BIND_IOMMUFD) return this.#bind(arg, caller);
    if (!this.#access) fail(Errno.EINVAL);
    if (!this.group && request === VFIO_DEVICE_ATTACH_IOMMUFD_PT) return this.#attach(arg);
    if (!this.group && request === VFIO_DEVICE_DETACH_IOMMUFD_PT) return this.#detach(arg);
    if (request === VFIO_DEVICE_FEATURE) return vfioDeviceFeature(vdev, arg, caller);
    return vdev.ops.ioctl?.(vdev, request, arg, caller) ?? fail(Errno.EINVAL);
  }

  /**
   * VFIO_DEVICE_BIND_IOMMUFD.
   * @throws ENOTTY on a kernel without device nodes
   * @throws EFAULT, EINVAL for a malformed request, for a file of a group, and when the device is bound already
   * @throws EBUSY while the group is open; EBADF, EBADFD for what is no iommufd; what openDevice throws
   */
  #bind(arg: UserPointer, caller: Caller): number {
    const { vdev } = this;
    if (!vdev.vfio.profile.vfioDeviceCdev) fail(Errno.ENOTTY);
    const bytes = arg.read(BIND_SIZE);
    const fd = bytes.readInt32LE(8);
    if (bytes.readUInt32LE(0) < BIND_SIZE || bytes.readUInt32LE(4) !== 0 || fd < 0) fail(Errno.EINVAL);
    if (this.group) fail(Errno.EINVAL);
    vdev.blockGroup();
    try {
      if (this.#access) fail(Errno.EINVAL);
      const iommufd = caller.fget(fd);
      if (!(iommufd instanceof IommufdCtx)) return fail(Errno.EBADFD);
      if (vdev.openCount > 0) fail(Errno.EINVAL);
      vdev.open(this.kvm, () => vdev.bindIommufd(iommufd));
    } catch (error) {
      vdev.unblockGroup();
      throw error;
    }
    this.#access = true;
    const id = Buffer.alloc(4);
    id.writeUInt32LE(vdev.access!.id);
    try {
      arg.write(id, 12);
    } catch (error) {
      this.#close();
      throw error;
    }
    return 0;
  }

  /** @throws EFAULT, EINVAL; ENOENT for an id that is no IOAS, EINVAL for another object */
  #attach(arg: UserPointer): number {
    const bytes = arg.read(ATTACH_SIZE);
    if (bytes.readUInt32LE(0) < ATTACH_SIZE || bytes.readUInt32LE(4) !== 0) fail(Errno.EINVAL);
    this.vdev.access!.attach(bytes.readUInt32LE(8));
    return 0;
  }

  #detach(arg: UserPointer): number {
    const bytes = arg.read(DETACH_SIZE);
    if (bytes.readUInt32LE(0) < DETACH_SIZE || bytes.readUInt32LE(4) !== 0) fail(Errno.EINVAL);
    this.vdev.access!.detach();
    return 0;
  }

  override read(length: number, offset: number): Uint8Array {
    const { vdev } = this;
    if (!this.#access || !vdev.ops.read) return fail(Errno.EINVAL);
    return vdev.ops.read(vdev, length, offset);
  }

  override write(bytes: Uint8Array, offset: number): number {
    const { vdev } = this;
    if (!this.#access || !vdev.ops.write) return fail(Errno.EINVAL);
    return vdev.ops.write(vdev, bytes, offset);
  }

  override mmap(offset: number, length: number): Uint8Array {
    const { vdev } = this;
    if (!this.#access || !vdev.ops.mmap) return fail(Errno.EINVAL);
    return vdev.ops.mmap(vdev, offset, length);
  }

  #close(): void {
    if (!this.#access) return;
    this.#access = false;
    this.vdev.close();
    if (!this.group) this.vdev.unblockGroup();
  }

  protected override release(): void {
    this.#close();
    this.vdev.putRegistration();
  }
}
