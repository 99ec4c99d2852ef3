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
import { VfioDeviceFile } from '../vfio/device-file.js';
import { VfioGroupFile } from '../vfio/group-file.js';
import { SpaprTceTable } from './spapr-tce.js';
import type { KvmVm } from './vm.js';

type VfioFile = VfioGroupFile | VfioDeviceFile;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class KvmVfio extends CharFile {
  override readonly name = 'anon_inode:kvm-vfio';
  /** The files of the VM, each with the tables of DMA addresses that a guest fills for its group. */
  readonly files = new Map<VfioFile, Set<SpaprTceTable>>();

  constructor(readonly vm: KvmVm) {
    super();
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

  #set({ attr, addr }: KvmDeviceAttr, caller: Caller): void {
    const data = caller.memory.read(
      addr,
      attr === KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE ? VFIO_SPAPR_TCE_SIZE : 4,
    );
    const file = caller.fget(data.readInt32LE(0));
    if (attr === KVM_DEV_VFIO_FILE_ADD) this.#add(file);
    else if (attr === KVM_DEV_VFIO_FILE_DEL) this.#delete(file);
    else this.#setSpaprTce(file, data.readInt32LE(4), caller);
  }

  /** @throws EINVAL for a file that is not VFIO's; EEXIST for one that was added */
  #add(file: CharFile | undefined): void {
    if (!this.#isValid(file)) throw new KernelError(Errno.EINVAL);
    if (this.files.has(file)) fail(Errno.EEXIST);
    this.files.set(file.get(), new Set());
    file.kvm = this.vm;
  }

  #isValid(file: CharFile | undefined): file is VfioFile {
    if (this.vm.kvm.module.core.profile.kvmVfioFiles)
      return file instanceof VfioGroupFile || file instanceof VfioDeviceFile;
    return file instanceof VfioGroupFile && file.hasIommu;
  }

  /** @throws ENOENT for a file that was not added */
  #delete(file: CharFile | undefined): void {
    const added = file as VfioFile;
    const tables = this.files.get(added) ?? fail(Errno.ENOENT);
    this.files.delete(added);
    this.#letGo(added, tables);
  }

  /** @throws ENOENT for a file that was not added; EBADF, EINVAL for what is no table of this VM */
  #setSpaprTce(file: CharFile | undefined, tablefd: number, caller: Caller): void {
    const tables = this.files.get(file as VfioFile) ?? fail(Errno.ENOENT);
    const table = caller.fget(tablefd);
    if (!(table instanceof SpaprTceTable) || table.vm !== this.vm) throw new KernelError(Errno.EINVAL);
    if (!tables.has(table)) tables.add(table.get());
  }

  #letGo(file: VfioFile, tables: Set<SpaprTceTable>): void {
    file.kvm = undefined;
    for (const table of tables) table.put();
    file.put();
  }

  protected override release(): void {
    const files = [...this.files];
    this.files.clear();
    for (const [file, tables] of files) this.#letGo(file, tables);
    this.vm.vfio = undefined;
    this.vm.put();
  }
}
