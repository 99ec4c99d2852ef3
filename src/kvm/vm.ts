/**
 * A VM (virt/kvm/kvm_main.c), as far as its devices are concerned. It lives as long as its own file and those of its
 * devices; its birth and its end are announced.
 * @module
 */

import { type Caller, CharFile, type UserMemory, type UserPointer } from '../base/file.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  CREATE_DEVICE_SIZE,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_DEVICE,
  KVM_CREATE_DEVICE_TEST,
  KVM_CREATE_SPAPR_TCE_64,
  KVM_DEV_TYPE_VFIO,
} from '../uapi/kvm.js';
import type { Kvm } from './core.js';
import { createSpaprTce, type SpaprTceTable } from './spapr-tce.js';
import { KvmVfio } from './vfio.js';

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class KvmVm extends CharFile {
  override readonly name = 'anon_inode:kvm-vm';
  readonly memory: UserMemory;
  /** Process and descriptor that made the VM, as its directory in debugfs is named. */
  id = '';
  readonly #pid: number;
  /** The VM's directory, whose statistics are not modelled. */
  #debugfs: KernfsDir | undefined;
  /** The VFIO device, of which there is one. */
  vfio: KvmVfio | undefined;
  readonly tables = new Set<SpaprTceTable>();

  constructor(
    readonly kvm: Kvm,
    caller: Caller,
  ) {
    super();
    this.memory = caller.memory;
    this.#pid = caller.pid;
    kvm.module.references++;
  }

  /** The VM has its descriptor, which is part of its name. */
  created(fd: number): void {
    const { kvm } = this;
    this.id = `${this.#pid}-${fd}`;
    // The VM of an earlier descriptor of that number may live on in its devices.
    if (kvm.debugfs.has(this.id)) kvm.module.core.log.print(`KVM: debugfs: duplicate directory ${this.id}`);
    else this.#debugfs = kvm.debugfs.addDir(this.id);
    kvm.created++;
    kvm.vms.add(this);
    this.#announce('create');
  }

  /**
   * @throws EIO from a process that has not made the VM; ENOTTY for a request that is not for a VM
   */
  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    this.assertOwner(caller);
    switch (request) {
      case KVM_CHECK_EXTENSION:
        return this.kvm.checkExtension(arg.value);
      case KVM_CREATE_DEVICE:
        return this.#createDevice(arg, caller);
      case KVM_CREATE_SPAPR_TCE_64:
        return this.kvm.isPowerpc ? createSpaprTce(this, arg, caller) : fail(Errno.ENOTTY);
      default:
        return fail(Errno.ENOTTY);
    }
  }

  /** @throws EIO from a process with other memory than the VM's */
  assertOwner(caller: Caller): void {
    if (caller.memory !== this.memory) fail(Errno.EIO);
  }

  /** @throws EFAULT; ENODEV for a type that is not there; EBUSY when the VM has a VFIO device */
  #createDevice(arg: UserPointer, caller: Caller): number {
    const request = arg.read(CREATE_DEVICE_SIZE);
    if (request.readUInt32LE(0) !== KVM_DEV_TYPE_VFIO) fail(Errno.ENODEV);
    if (request.readUInt32LE(8) & KVM_CREATE_DEVICE_TEST) {
      arg.write(request);
      return 0;
    }
    if (this.vfio) fail(Errno.EBUSY);
    this.vfio = new KvmVfio(this);
    request.writeUInt32LE(caller.install(this.vfio), 4);
    arg.write(request);
    return 0;
  }

  #announce(event: 'create' | 'destroy'): void {
    const { kvm } = this;
    kvm.misc.uevent('change', [
      `CREATED=${kvm.created}`,
      `COUNT=${kvm.vms.size}`,
      `EVENT=${event}`,
      `PID=${this.#pid}`,
      ...(this.#debugfs ? [`STATS_PATH=/kvm/${this.id}`] : []),
    ]);
  }

  protected override release(): void {
    const { kvm } = this;
    kvm.vms.delete(this);
    this.#announce('destroy');
    if (this.#debugfs) kvm.debugfs.removeChild(this.id);
    kvm.module.references--;
  }
}
