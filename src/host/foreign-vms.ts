/**
 * VMs of the machine's own KVM that emulated VFIO files are added to: the kernel's KVM would refuse them, so the request is
 * done here, on the side, and the rest of the VM's devices stay with the kernel.
 *
 * Differs from a kernel: that a VM has let go of its files is noticed when somebody opens or closes one or writes to the
 * tree, and otherwise a moment later.
 * @module
 */

import { closeSync, readlinkSync } from 'node:fs';
import { ForeignVm } from '../kvm/foreign.js';
import { KernelError } from '../lib/errno.js';
import type { Machine } from '../machine/machine.js';
import {
  DEVICE_ATTR_SIZE,
  decodeDeviceAttr,
  KVM_DEV_VFIO_FILE,
  KVM_DEV_VFIO_FILE_ADD,
  KVM_DEV_VFIO_FILE_DEL,
} from '../uapi/kvm.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import { VfioGroupFile } from '../vfio/group-file.js';
import type { HeldProcess } from './held-process.js';
import type { NativeCalls } from './native.js';
import { OpenMarks } from './open-mark.js';
import type { Placeholders } from './placeholders.js';

const KVM_VFIO = 'anon_inode:kvm-vfio';

/** Milliseconds. Somebody may be waiting for a file that only a VM holds. */
const SWEEP_INTERVAL = 200;

export class ForeignVms {
  /** By the mark of the VM's VFIO device. */
  readonly #known = new Map<number, ForeignVm>();
  readonly #marks: OpenMarks;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(
    readonly machine: Machine,
    readonly placeholders: Placeholders,
    calls: NativeCalls,
  ) {
    this.#marks = new OpenMarks(calls);
  }

  /**
   * KVM_SET_DEVICE_ATTR.
   * @param fd the descriptor it is asked of; @param argument address of its structure
   * @returns its result; undefined for what the kernel has to do
   * @throws EEXIST, ENOENT, EINVAL as a VM
   */
  async setDeviceAttr(process: HeldProcess, fd: number, argument: bigint): Promise<number | undefined> {
    // A first look, by what a client could make of it; what it is, is looked at when it matters.
    if (!isKvmVfio(`/proc/${process.thread}/fd/${fd}`)) return undefined;
    const asked = await decode(process, argument);
    if (!asked) return undefined;
    const file = await this.#fileOf(process, asked.fd);
    if (!file) return undefined;
    const vm = await this.#vmOf(process, fd);
    if (!vm) return undefined;
    if (asked.add) vm.files.add(file);
    else vm.files.delete(file);
    return 0;
  }

  async #fileOf(process: HeldProcess, fd: number): Promise<VfioGroupFile | VfioDeviceFile | undefined> {
    const { placeholders } = this;
    const described = await process.describe(fd);
    const { device } = described.file ?? (await placeholders.replace(process, fd, described)) ?? {};
    return device instanceof VfioGroupFile || device instanceof VfioDeviceFile ? device : undefined;
  }

  /** The VM that a descriptor of its VFIO device belongs to; undefined when the descriptor is of something else. */
  async #vmOf(process: HeldProcess, fd: number): Promise<ForeignVm | undefined> {
    const { fd: copy } = await process.describe(fd, KVM_VFIO);
    if (copy === undefined) return undefined;
    try {
      for (const [mark, vm] of this.#known) if (this.#marks.has(copy, mark)) return vm;
      const vm = new ForeignVm(
        `${process.pid}-${fd}`,
        this.machine.core.profile.kvmVfioFiles,
      ).get() as ForeignVm;
      this.machine.foreignVms.add(vm);
      this.#known.set(this.#marks.add(copy), vm);
      this.#sweeping ??= setInterval(() => this.sweep(), SWEEP_INTERVAL).unref();
      return vm;
    } finally {
      closeSync(copy);
    }
  }

  /** Has VMs that have ended let go of their files. */
  sweep(): void {
    for (const [mark, vm] of this.#known) {
      if (this.#marks.isOpen(mark)) continue;
      this.#known.delete(mark);
      this.machine.foreignVms.delete(vm);
      vm.files.clear();
      vm.put();
    }
    if (this.#known.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}

/** Which file it is about, and whether it is added; undefined for another attribute, and one that is no good. */
async function decode(
  process: HeldProcess,
  argument: bigint,
): Promise<{ fd: number; add: boolean } | undefined> {
  try {
    const bytes = await process.peek(argument, DEVICE_ATTR_SIZE);
    const { group, attr, addr } = decodeDeviceAttr({ read: () => bytes });
    if (group !== KVM_DEV_VFIO_FILE) return undefined;
    if (attr !== KVM_DEV_VFIO_FILE_ADD && attr !== KVM_DEV_VFIO_FILE_DEL) return undefined;
    return { fd: (await process.peek(addr, 4)).readInt32LE(0), add: attr === KVM_DEV_VFIO_FILE_ADD };
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
