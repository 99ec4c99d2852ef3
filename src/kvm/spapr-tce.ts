/**
 * Tables of DMA addresses that a pSeries guest fills (arch/powerpc/kvm/book3s_64_vio.c). Only that they are there is
 * modelled: no guest runs that could fill them.
 * @module
 */

import { type Caller, CharFile, type UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import { CREATE_SPAPR_TCE_64_SIZE } from '../uapi/kvm.js';
import type { KvmVm } from './vm.js';

export class SpaprTceTable extends CharFile {
  override readonly name = 'anon_inode:kvm-spapr-tce';

  /**
   * @param liobn number by which the guest knows the table
   * @param pageShift size of a page of the table, as a power of two
   * @param entries how many pages it is for
   */
  constructor(
    readonly vm: KvmVm,
    readonly liobn: bigint,
    readonly pageShift: number,
    readonly entries: bigint,
  ) {
    super();
    vm.get();
    vm.tables.add(this);
  }

  protected override release(): void {
    this.vm.tables.delete(this);
    this.vm.put();
  }
}

/**
 * KVM_CREATE_SPAPR_TCE_64.
 * @returns descriptor of the table
 * @throws EFAULT; EINVAL for flags, no entries, or a window that wraps around; EBUSY for a number that is taken
 */
export function createSpaprTce(vm: KvmVm, arg: UserPointer, caller: Caller): number {
  const bytes = arg.read(CREATE_SPAPR_TCE_64_SIZE);
  const liobn = bytes.readBigUInt64LE(0);
  const [pageShift, flags] = [bytes.readUInt32LE(8), bytes.readUInt32LE(12)];
  const [offset, entries] = [bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(24)];
  const largest = (1n << 64n) >> BigInt(Math.min(pageShift, 64));
  if (flags !== 0 || entries === 0n || offset + entries > largest) throw new KernelError(Errno.EINVAL);
  if ([...vm.tables].some((table) => table.liobn === liobn)) throw new KernelError(Errno.EBUSY);
  return caller.install(new SpaprTceTable(vm, liobn, pageShift, entries));
}
