/**
 * Lines for control files that mean nothing: the one who wrote it gets EINVAL, the kernel log says why. What a line means
 * is read without a machine, so that who writes one can ask first.
 * @module
 */

import type { KernelLog } from '../base/printk.js';
import { Errno, KernelError } from '../lib/errno.js';

export class LineError extends KernelError {
  /** @param why what was expected, in one line */
  constructor(readonly why: string) {
    super(Errno.EINVAL);
  }
}

/** Reads what was written to a control file; the log tells what was wrong with it. */
export function readLine<T>(log: KernelLog, file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LineError) log.print(`mdevfs: ${file}: ${error.why}`);
    throw error;
  }
}
