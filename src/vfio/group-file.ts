/**
 * An open VFIO group (drivers/vfio/group.c, /dev/vfio/N): one at a time, it joins a container and hands out the group's
 * devices. A device that is open keeps its group open, also when the group's own descriptor is closed.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
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
import { VfioDeviceFile } from './device-file.js';
import type { VfioGroup } from './group.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class VfioGroupFile extends CharFile {
  #container: VfioContainer | undefined;
  #openDevices = 0;
  #closed = false;

  /** @throws EBUSY when the group is open, through its node or through one of its devices */
  constructor(readonly group: VfioGroup) {
    super();
    if (group.opened) fail(Errno.EBUSY);
    group.opened = this;
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
    if (!this.group.vdev) fail(Errno.ENODEV);
    const flags = Buffer.alloc(4);
    flags.writeUInt32LE(VFIO_GROUP_FLAGS_VIABLE | (this.#container ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0));
    arg.write(flags, 4);
    return 0;
  }

  /** @throws EBADF, EINVAL when it has one, ENODEV when the devices are gone, EBADFD for another kind of file */
  #setContainer(arg: UserPointer, caller: Caller): number {
    const fd = arg.read(4).readInt32LE(0);
    if (fd < 0) fail(Errno.EINVAL);
    const file = caller.fget(fd);
    if (this.#container) fail(Errno.EINVAL);
    if (!this.group.vdev) fail(Errno.ENODEV);
    if (!(file instanceof VfioContainer)) return fail(Errno.EBADFD);
    this.#container = file;
    file.attach(this);
    return 0;
  }

  /** @throws EINVAL without a container; EBUSY while a device is open */
  #unsetContainer(): number {
    if (!this.#container) fail(Errno.EINVAL);
    if (this.#openDevices > 0) fail(Errno.EBUSY);
    this.#detach();
    return 0;
  }

  /** @throws EINVAL for no string or no IOMMU; ENODEV for a name that the group does not have */
  #getDeviceFd(arg: UserPointer, caller: Caller): number {
    const name = readString(arg);
    const { vdev } = this.group;
    if (!vdev || vdev.device.name !== name) return fail(Errno.ENODEV);
    if (this.#container?.iommuType === undefined) fail(Errno.EINVAL);
    if (!vdev.tryGet()) fail(Errno.ENODEV);
    this.#openDevices++;
    return caller.install(new VfioDeviceFile(vdev, () => this.#deviceClosed()));
  }

  #deviceClosed(): void {
    this.#openDevices--;
    this.#releaseIfUnused();
  }

  /** The group's last device was unregistered: the container loses the group. */
  devicesGone(): void {
    this.#detach();
  }

  protected override release(): void {
    this.#closed = true;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (!this.#closed || this.#openDevices > 0) return;
    this.#detach();
    this.group.opened = undefined;
    this.group.putMinor();
  }

  #detach(): void {
    this.#container?.detach(this);
    this.#container = undefined;
  }
}

/** A NUL-terminated string of at most a page (`strndup_user`). */
function readString(arg: UserPointer): string {
  for (let length = 0; length < PAGE_SIZE; length++) {
    if (arg.read(1, length)[0] === 0) return arg.read(length).toString('latin1');
  }
  return fail(Errno.EINVAL);
}
