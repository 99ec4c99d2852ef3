/**
 * The VFIO device of a VM (virt/kvm/vfio.c, KVM_DEV_TYPE_VFIO): through it user space tells KVM which VFIO files belong
 * to the VM. Each keeps its file open, and lets the drivers behind it know the VM before they are opened.
 *
 * Before Linux 6.4 these were groups alone, and a group needed a container: the profile says which.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeDeviceAttr,
  KVM_DEV_VFIO_FILE,
  KVM_DEV_VFIO_FILE_ADD,
  KVM_DEV_VFIO_FILE_DEL,
  KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE,
  type KvmDeviceAttr,
  KVM_GET_DEVICE_ATTR,
  KVM_HAS_DEVICE_ATTR,
  KVM_SET_DEVICE_ATTR,
  VFIO_SPAPR_TCE_SIZE,
} from '../uapi/kvm.js';
import { SpaprTceTable } from './spapr-tce.js';
import { KvmVfioFiles } from './vfio-files.js';
import type { KvmVm } from './vm.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class KvmVfio extends CharFile {
  override readonly name = 'anon_inode:kvm-vfio';
  readonly files: KvmVfioFiles;

  constructor(readonly vm: KvmVm) {
    super();
    this.files = new KvmVfioFiles(vm, vm.kvm.module.core.profile.kvmVfioFiles);
    vm.get();
  }

  /**
   * @throws EIO from a process that has not made the VM; ENOTTY for another request; EFAULT; ENXIO for an attribute that
   *   is not there; EPERM for reading one
   */
  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    this.vm.assertOwner(caller);
    switch (request) {
      case KVM_SET_DEVICE_ATTR:
        this.#set(this.#attr(arg), caller);
        return 0;
      case KVM_HAS_DEVICE_ATTR:
        this.#attr(arg);
        return 0;
      case KVM_GET_DEVICE_ATTR:
        return fail(Errno.EPERM);
      default:
        return fail(Errno.ENOTTY);
    }
  }

  #attr(arg: UserPointer): KvmDeviceAttr {
    const attr = decodeDeviceAttr(arg);
    const known: bigint[] = [KVM_DEV_VFIO_FILE_ADD, KVM_DEV_VFIO_FILE_DEL];
    if (this.vm.kvm.isPowerpc) known.push(KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE);
    if (attr.group !== KVM_DEV_VFIO_FILE || !known.includes(attr.attr)) fail(Errno.ENXIO);
    return attr;
  }

  /**
   * @throws EFAULT; EBADF for no open file; EINVAL for a file that is not VFIO's, and for a table that is not the VM's
   * @throws EEXIST for a file that was added, ENOENT for one that was not
   */
  #set({ attr, addr }: KvmDeviceAttr, caller: Caller): void {
    const data = caller.memory.read(
      addr,
      attr === KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE ? VFIO_SPAPR_TCE_SIZE : 4,
    );
    const file = caller.fget(data.readInt32LE(0));
    if (attr === KVM_DEV_VFIO_FILE_ADD) this.files.add(file);
    else if (attr === KVM_DEV_VFIO_FILE_DEL) this.files.delete(file);
    else this.#setSpaprTce(file, data.readInt32LE(4), caller);
  }

  /** @throws ENOENT for a file that was not added; EBADF, EINVAL for what is no table of this VM */
  #setSpaprTce(file: CharFile | undefined, tablefd: number, caller: Caller): void {
    const tables = this.files.tablesOf(file);
    const table = caller.fget(tablefd);
    if (!(table instanceof SpaprTceTable) || table.vm !== this.vm) throw new KernelError(Errno.EINVAL);
    if (!tables.has(table)) tables.add(table.get());
  }

  protected override release(): void {
    this.files.clear();
    this.vm.vfio = undefined;
    this.vm.put();
  }
}
