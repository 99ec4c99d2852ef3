/**
 * How much memory processes may lock (RLIMIT_MEMLOCK): what the kernel says, or what somebody was told where the machine
 * refuses to raise it (locked-memory.ts). A process has the limit of the one that started it, as in a kernel.
 *
 * Differs from a kernel: also when that was raised later.
 * @module
 */

import { readFileSync } from 'node:fs';

/** CAP_IPC_LOCK: who has it locks without limit. */
const CAP_IPC_LOCK = 1n << 14n;

/** Of proc_pid_stat(5), counted from after the name, which may hold anything. */
const PARENT = 1;
const START_TIME = 19;

/** With its number, the start time of a process says which one is meant. @throws Error of open(2) when it is gone */
export function identityOf(pid: number): string {
  return `${pid} ${statOf(pid)[START_TIME]}`;
}

function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export class LockLimits {
  readonly #granted = new Map<string, number>();

  /** @param bytes what a process may lock from now on, since it was told so; undefined for what the kernel says */
  grant(pid: number, bytes: number | undefined): void {
    this.#forgetThoseGone();
    if (bytes !== undefined) this.#granted.set(identityOf(pid), bytes);
    else if (this.#granted.size > 0) this.#granted.delete(identityOf(pid));
  }

  /** Bytes; none for who has the right to lock, and for a process that is gone. */
  of(pid: number): number {
    try {
      return Math.max(ownLimitOf(pid), this.#grantedTo(pid));
    } catch {
      return Infinity;
    }
  }

  /** @throws Error of open(2) */
  #grantedTo(pid: number): number {
    if (this.#granted.size === 0) return 0;
    for (let ancestor = pid; ancestor > 0; ancestor = Number(statOf(ancestor)[PARENT])) {
      const bytes = this.#granted.get(identityOf(ancestor));
      if (bytes !== undefined) return bytes;
    }
    return 0;
  }

  #forgetThoseGone(): void {
    for (const identity of this.#granted.keys()) {
      const [pid] = identity.split(' ');
      try {
        if (identityOf(Number(pid)) === identity) continue;
      } catch {
        // It is gone.
      }
      this.#granted.delete(identity);
    }
  }
}

/** @throws Error of open(2) */
function ownLimitOf(pid: number): number {
  const capabilities = /^CapEff:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  if (capabilities && BigInt(`0x${capabilities}`) & CAP_IPC_LOCK) return Infinity;
  const soft = /^Max locked memory\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))?.[1];
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}
