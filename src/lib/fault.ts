/**
 * Injected faults (lib/fault-inject.c, Documentation/fault-injection): what an operation gets in place of what it would
 * have got. Who performs operations asks whoever has the rules, and runs them through {@link struck}.
 * @module
 */

import { KernelError } from './errno.js';
import { after, type Sleeps } from './sleep.js';

export interface Fault {
  /** What there is to wait for before anything else happens. */
  readonly delay?: (() => Promise<void>) | undefined;
  /** What it fails with. */
  readonly errno?: number | undefined;
  /** Bytes that a read gives, or a write says it took, at most. */
  readonly short?: number | undefined;
}

/** Waits as long as a fault says. */
export function delayed(fault: Fault | undefined): Sleeps<void> {
  return fault?.delay?.();
}

/** Throws what a fault fails with. */
export function failWith(fault: Fault | undefined): void {
  if (fault?.errno !== undefined) throw new KernelError(fault.errno);
}

/** Runs an operation with a fault: after its delay, and not at all when it fails. */
export function struck<T>(fault: Fault | undefined, body: () => Sleeps<T>): Sleeps<T> {
  if (!fault) return body();
  return after(delayed(fault), () => {
    failWith(fault);
    return body();
  });
}

/** As many bytes as a fault leaves of them. */
export function shortened(fault: Fault | undefined, length: number): number {
  return fault?.short === undefined ? length : Math.min(length, fault.short);
}
