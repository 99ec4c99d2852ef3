/**
 * Limits of locked memory that the machine does not raise. Whoever starts a VM with a VFIO device raises the limit of its
 * process to the size of the guest first, and in a container even root may not. Nothing is locked here, so root is told
 * that it is done, and the limit holds for what devices count as locked. Where the machine raises limits, the filter lets
 * the call pass.
 * @module
 */

import { readFileSync } from 'node:fs';
import type { HeldProcess } from './held-process.js';
import type { NativeCalls, NativeFunction } from './native.js';
import { pidOf } from './pid-namespace.js';
import { RLIM_INFINITY, RLIMIT_MEMLOCK, RLIMIT_SIZE } from './seccomp-filter.js';

export class LockedMemory {
  readonly #prlimit: NativeFunction;

  constructor(calls: NativeCalls) {
    this.#prlimit = calls.bind('int prlimit(int pid, int resource, void *wanted, void *old)');
  }

  /**
   * prlimit(2) of a process for RLIMIT_MEMLOCK.
   * @returns its result; undefined for what the kernel has to do
   */
  async prlimit(process: HeldProcess): Promise<number | undefined> {
    try {
      return await this.#raise(process);
    } catch {
      // Somebody is gone, or memory is not there: the kernel says so.
      return undefined;
    }
  }

  async #raise(process: HeldProcess): Promise<number | undefined> {
    if (!isRoot(process.pid)) return undefined;
    const [who, , wantedAt, oldAt] = process.notif.args as [bigint, bigint, bigint, bigint];
    const number = Number(BigInt.asIntN(32, who));
    const pid = number === 0 ? process.pid : pidOf(process.pid, number);
    if (pid === undefined) return undefined;
    const old = Buffer.alloc(RLIMIT_SIZE);
    if (this.#prlimit(pid, RLIMIT_MEMLOCK, null, old) < 0) return undefined;
    const wanted = await process.peek(wantedAt, RLIMIT_SIZE);
    const [soft, hard] = [wanted.readBigUInt64LE(0), wanted.readBigUInt64LE(8)];
    if (soft > hard) return undefined;
    const { limits } = process.remotes.memories;
    if (hard <= old.readBigUInt64LE(8)) {
      limits.grant(pid, undefined);
      return undefined;
    }
    if (oldAt !== 0n) await process.poke(oldAt, old);
    limits.grant(pid, soft === RLIM_INFINITY ? Infinity : Number(soft));
    return 0;
  }
}

/** Whether a process has the rights of root, as far as its user namespace goes. */
function isRoot(pid: number): boolean {
  const uids = /^Uid:\s*\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return uids?.[1] === '0';
}
