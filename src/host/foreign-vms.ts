/**
 * VMs of the machine's own KVM that emulated VFIO files are added to: the kernel's KVM would refuse them, so the request is
 * done here, on the side, and the rest of the VM's devices stay with the kernel.
 *
 * Differs from a kernel: that a VM has ended is noticed when somebody opens or closes a file of the model, or looks at its
 * tree. A VM is known by the descriptor of its VFIO device in the process that named it first.
 * @module
 */

import { readlinkSync } from 'node:fs';
import { KernelError } from '../lib/errno.js';
import { ForeignVm } from '../kvm/foreign.js';
import {
  decodeDeviceAttr,
  KVM_DEV_VFIO_FILE,
  KVM_DEV_VFIO_FILE_ADD,
  KVM_DEV_VFIO_FILE_DEL,
} from '../uapi/kvm.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import { VfioGroupFile } from '../vfio/group-file.js';
import type { Machine } from '../machine/machine.js';
import type { Placeholders } from './placeholders.js';
import type { HeldProcess } from './held-process.js';

const KVM_VFIO = 'anon_inode:kvm-vfio';

interface Known {
  readonly vm: ForeignVm;
  /** Where /proc shows the VM's VFIO device. */
  readonly link: string;
}

export class ForeignVms {
  readonly #known = new Map<string, Known>();

  constructor(
    readonly machine: Machine,
    readonly placeholders: Placeholders,
  ) {}

  /**
   * KVM_SET_DEVICE_ATTR.
   * @param fd the descriptor it is asked of; @param argument address of its structure
   * @returns its result; undefined for what the kernel has to do
   * @throws EEXIST, ENOENT, EINVAL as a VM
   */
  async setDeviceAttr(process: HeldProcess, fd: number, argument: bigint): Promise<number | undefined> {
    const link = `/proc/${process.pid}/fd/${fd}`;
    if (!isKvmVfio(link)) return undefined;
    const asked = decode(process, argument);
    if (!asked) return undefined;
    const file = process.fget(asked.fd) ?? (await this.placeholders.replace(process, asked.fd))?.device;
    if (!(file instanceof VfioGroupFile || file instanceof VfioDeviceFile)) return undefined;
    let known = this.#known.get(link);
    if (!known) {
      const vm = new ForeignVm(`${process.pid}-${fd}`, this.machine.core.profile.kvmVfioFiles);
      known = { vm: vm.get() as ForeignVm, link };
      this.#known.set(link, known);
      this.machine.foreignVms.add(vm);
    }
    if (asked.add) known.vm.files.add(file);
    else known.vm.files.delete(file);
    return 0;
  }

  /** Has VMs that have ended let go of their files. */
  sweep(): void {
    for (const [key, { vm, link }] of this.#known) {
      if (isKvmVfio(link)) continue;
      this.#known.delete(key);
      this.machine.foreignVms.delete(vm);
      vm.files.clear();
      vm.put();
    }
  }
}

/** Which file it is about, and whether it is added; undefined for another attribute, and one that is no good. */
function decode(process: HeldProcess, argument: bigint): { fd: number; add: boolean } | undefined {
  try {
    const { group, attr, addr } = decodeDeviceAttr(process.pointer(argument));
    if (group !== KVM_DEV_VFIO_FILE) return undefined;
    if (attr !== KVM_DEV_VFIO_FILE_ADD && attr !== KVM_DEV_VFIO_FILE_DEL) return undefined;
    return { fd: process.memory.read(addr, 4).readInt32LE(0), add: attr === KVM_DEV_VFIO_FILE_ADD };
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

function isKvmVfio(link: string): boolean {
  try {
    return readlinkSync(link) === KVM_VFIO;
  } catch {
    return false;
  }
}
