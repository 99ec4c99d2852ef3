/**
 * An open VFIO group (drivers/vfio/group.c, /dev/vfio/N): one at a time, it joins a container or an iommufd and hands out
 * the group's devices. A device that is open keeps its group open, also when the group's own descriptor is closed.
 * @module
 */

import type { Device } from '../base/device.js';
import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { IommufdCtx } from '../iommu/iommufd-ctx.js';
import { Errno, KernelError } from '../lib/errno.js';
import { rosterMembers } from '../lib/roster.js';
import {
  GROUP_STATUS_SIZE,
  PAGE_SIZE,
  VFIO_GROUP_FLAGS_CONTAINER_SET,
  VFIO_GROUP_FLAGS_VIABLE,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_GET_STATUS,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
} from '../uapi/vfio.js';
import { VfioContainer } from './container.js';
import type { DmaGrant, VfioDevice } from './device.js';
import { VfioDeviceFile } from './device-file.js';
import type { VfioGroup } from './group.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class VfioGroupFile extends CharFile {
  /** The VM that this file was added to. */
  kvm: CharFile | undefined;
  #iommu: VfioContainer | IommufdCtx | undefined;
  /** Devices that are open and use the container. */
  #users = 0;

  /** @throws EBUSY when the group is open, through its node, one of its devices or a device's own node */
  constructor(readonly group: VfioGroup) {
    super();
    if (group.opened || group.boundDevices > 0) fail(Errno.EBUSY);
    group.opened = this;
  }

  override get subject(): Device | undefined {
    const [vdev] = rosterMembers(this.group.vdevs);
    return vdev?.device;
  }

  /** Whether the group is in a container, or has an iommufd. */
  get joined(): boolean {
    return this.#iommu !== undefined;
  }

  /** Whether devices can be opened, as older kernels of KVM ask. */
  get hasIommu(): boolean {
    return this.#iommu instanceof VfioContainer && this.#iommu.iommu !== undefined;
  }

  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case VFIO_GROUP_GET_STATUS:
        return this.#getStatus(arg);
      case VFIO_GROUP_SET_CONTAINER:
        return this.#setContainer(arg, caller);
      case VFIO_GROUP_UNSET_CONTAINER:
        return this.#unsetContainer();
      case VFIO_GROUP_GET_DEVICE_FD:
        return this.#getDeviceFd(arg, caller);
      default:
        return fail(Errno.ENOTTY);
    }
  }

  /** @throws EINVAL for a structure that is too small; ENODEV when the group's devices are gone */
  #getStatus(arg: UserPointer): number {
    if (arg.read(GROUP_STATUS_SIZE).readUInt32LE(0) < GROUP_STATUS_SIZE) fail(Errno.EINVAL);
    if (this.group.isDead) fail(Errno.ENODEV);
    const flags = Buffer.alloc(4);
    flags.writeUInt32LE(VFIO_GROUP_FLAGS_VIABLE | (this.#iommu ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0));
    arg.write(flags, 4);
    return 0;
  }

  /**
   * @throws EBADF; EINVAL when the group has a container or an iommufd; ENODEV when the devices are gone
   * @throws EBADFD for another kind of file
   */
  #setContainer(arg: UserPointer, caller: Caller): number {
    const file = caller.fget(arg.read(4).readInt32LE(0));
    if (this.#iommu) fail(Errno.EINVAL);
    if (this.group.isDead) fail(Errno.ENODEV);
    if (file instanceof VfioContainer) {
      file.attach(this);
      this.#iommu = file;
    } else if (file instanceof IommufdCtx) {
      file.createCompatIoas();
      this.#iommu = file.get();
    } else return fail(Errno.EBADFD);
    return 0;
  }

  /** @throws EINVAL without a container; EBUSY while a device uses it */
  #unsetContainer(): number {
    if (!this.#iommu) fail(Errno.EINVAL);
    if (this.#users > 0) fail(Errno.EBUSY);
    this.#detach();
    return 0;
  }

  /**
   * @throws EINVAL for no string or no IOMMU; ENODEV for a name that the group does not have
   * @throws what the driver's match and openDevice throw
   */
  #getDeviceFd(arg: UserPointer, caller: Caller): number {
    const name = readString(arg);
    const vdev = [...rosterMembers(this.group.vdevs)].find((each) => matches(each, name));
    if (!vdev) return fail(Errno.ENODEV);
    const file = new VfioDeviceFile(vdev, this).get();
    try {
      // An iommufd may be taken from a group whose device is open; then that device cannot be opened again.
      if (!this.#iommu) fail(Errno.EINVAL);
      file.openInGroup(this);
      return caller.install(file);
    } finally {
      file.put();
    }
  }

  /**
   * Lets a device use the container, or binds it to the iommufd (`vfio_group_use_container`).
   * @throws EINVAL when there is neither, or the container has no IOMMU yet
   */
  use(vdev: VfioDevice): DmaGrant {
    const iommu = this.#iommu ?? fail(Errno.EINVAL);
    if (iommu instanceof IommufdCtx) return vdev.bindIommufd(iommu, true);
    const dma = iommu.registerDevice(vdev);
    this.#users++;
    // The device may outlive the group's descriptor; its container stays, and so does the group.
    this.get();
    return {
      dma,
      end: () => {
        iommu.unregisterDevice(vdev);
        this.#users--;
        this.put();
      },
    };
  }

  /** The group's last device was unregistered: the container loses the group. */
  devicesGone(): void {
    if (this.#iommu instanceof VfioContainer) this.#detach();
  }

  protected override release(): void {
    this.#detach();
    this.group.opened = undefined;
    this.group.putMinor();
  }

  #detach(): void {
    const iommu = this.#iommu;
    this.#iommu = undefined;
    if (iommu instanceof VfioContainer) iommu.detach(this);
    else iommu?.put();
  }
}

function matches(vdev: VfioDevice, name: string): boolean {
  return vdev.ops.match?.(vdev, name) ?? vdev.device.name === name;
}

/** A NUL-terminated string of at most a page (`strndup_user`). */
function readString(arg: UserPointer): string {
  let text = '';
  while (text.length < PAGE_SIZE) {
    const inPage = PAGE_SIZE - ((arg.value + text.length) % PAGE_SIZE);
    const bytes = readSome(arg, text.length, Math.min(PIECE, inPage, PAGE_SIZE - text.length));
    const end = bytes.indexOf(0);
    if (end >= 0) return text + bytes.toString('latin1', 0, end);
    text += bytes.toString('latin1');
  }
  return fail(Errno.EINVAL);
}

/** What a string is looked for in at once. */
const PIECE = 256;

/** Memory may end behind the end of the string: then it is read byte by byte. */
function readSome(arg: UserPointer, offset: number, length: number): Buffer {
  try {
    return arg.read(length, offset);
  } catch (error) {
    if (error instanceof KernelError) return arg.read(1, offset);
    throw error;
  }
}
