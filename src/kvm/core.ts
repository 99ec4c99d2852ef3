/**
 * KVM (virt/kvm/kvm_main.c, modules `kvm` and `kvm_intel`): the node /dev/kvm, and what it says of itself.
 *
 * Modelled: VMs as far as devices of other drivers see them. There are no virtual processors and no guest memory: what
 * only they need is ENOTTY.
 * @module
 */

import type { Device } from '../base/device.js';
import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { miscBuiltin } from '../base/misc.js';
import type { Module, ModuleDefinition } from '../base/module.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { after, type Sleeps } from '../lib/sleep.js';
import {
  decodeDeviceAttr,
  KVM_API_VERSION,
  KVM_CAP_DEVICE_CTRL,
  KVM_CAP_SPAPR_TCE,
  KVM_CAP_SPAPR_TCE_64,
  KVM_CAP_USER_MEMORY,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_DEVICE_ATTR,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_HAS_DEVICE_ATTR,
  KVM_X86_XCOMP_GUEST_SUPP,
} from '../uapi/kvm.js';
import { KvmVm } from './vm.js';

const KVM_MINOR = 232;
/** Pages that a virtual processor shares with user space: its state, port I/O, coalesced memory I/O. */
const VCPU_MMAP_SIZE = 3 * 4096;
/** x87, SSE and AVX. */
const SUPPORTED_XCR0 = 7n;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

export class Kvm {
  readonly vms = new Set<KvmVm>();
  /** How many VMs there have been. */
  created = 0;
  #device: Device | undefined;
  /** `/sys/kernel/debug/kvm`: a directory for each VM. */
  #debugfs: KernfsDir | undefined;

  constructor(readonly module: Module) {}

  get isPowerpc(): boolean {
    return this.module.core.profile.arch === 'ppc64le';
  }

  get misc(): Device {
    return this.#device!;
  }

  get debugfs(): KernfsDir {
    return this.#debugfs!;
  }

  /** The processor's module brings up the node (`kvm_init`). */
  register(): void {
    this.#debugfs = this.module.core.debugfs.addDir('kvm');
    const misc = this.module.import(miscBuiltin);
    this.#device = misc.register({ name: 'kvm', minor: KVM_MINOR, open: () => new KvmFile(this) });
  }

  deregister(): Sleeps<void> {
    return after(this.module.import(miscBuiltin).deregister(this.misc), () =>
      this.module.core.debugfs.removeChild('kvm'),
    );
  }

  /** KVM_CHECK_EXTENSION: 0 for what is not there. */
  checkExtension(extension: number): number {
    switch (extension) {
      case KVM_CAP_USER_MEMORY:
      case KVM_CAP_DEVICE_CTRL:
        return 1;
      case KVM_CAP_SPAPR_TCE:
      case KVM_CAP_SPAPR_TCE_64:
        return this.isPowerpc ? 1 : 0;
      default:
        return 0;
    }
  }
}

/** An open /dev/kvm. */
class KvmFile extends CharFile {
  constructor(readonly kvm: Kvm) {
    super();
  }

  /** @throws EINVAL for a request that is not for this file, and for an argument where none is taken */
  override ioctl(request: number, arg: UserPointer, caller: Caller): number {
    switch (request) {
      case KVM_GET_API_VERSION:
        return arg.value === 0 ? KVM_API_VERSION : fail(Errno.EINVAL);
      case KVM_CREATE_VM:
        return this.#createVm(arg.value, caller);
      case KVM_CHECK_EXTENSION:
        return this.kvm.checkExtension(arg.value);
      case KVM_GET_VCPU_MMAP_SIZE:
        return arg.value === 0 ? VCPU_MMAP_SIZE : fail(Errno.EINVAL);
      case KVM_HAS_DEVICE_ATTR:
      case KVM_GET_DEVICE_ATTR:
        return this.#deviceAttr(request, arg, caller);
      default:
        return fail(Errno.EINVAL);
    }
  }

  /** @throws EINVAL for a type of VM that is not there */
  #createVm(type: number, caller: Caller): number {
    if (type !== 0) fail(Errno.EINVAL);
    const vm = new KvmVm(this.kvm, caller);
    const fd = caller.install(vm);
    vm.created(fd);
    return fd;
  }

  /** @throws EFAULT; ENXIO for an attribute that is not there */
  #deviceAttr(request: number, arg: UserPointer, caller: Caller): number {
    if (this.kvm.isPowerpc) fail(Errno.EINVAL);
    const { group, attr, addr } = decodeDeviceAttr(arg);
    if (group !== 0 || attr !== KVM_X86_XCOMP_GUEST_SUPP) fail(Errno.ENXIO);
    if (request === KVM_GET_DEVICE_ATTR) {
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(SUPPORTED_XCR0);
      caller.memory.write(addr, value);
    }
    return 0;
  }

  protected override release(): void {}
}

export const kvmModule: ModuleDefinition<Kvm> = {
  name: 'kvm',
  init: (module) => new Kvm(module),
  exit: () => {},
};

/** The module for the processor. Which one it is shows nowhere but in its name. */
export const kvmIntelModule: ModuleDefinition<Kvm> = {
  name: 'kvm_intel',
  depends: [kvmModule],
  init(module) {
    const kvm = module.import(kvmModule);
    kvm.register();
    return kvm;
  },
  exit: (kvm) => kvm.deregister(),
};
