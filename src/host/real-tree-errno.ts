/**
 * Failures of the machine's own file system, as the model reports failures.
 * @module
 */

import { KernelError } from '../lib/errno.js';

/**
 * Calls the machine.
 * @throws KernelError with the errno of the machine
 */
export function onMachine<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asKernelError(error);
  }
}

/** The same failure with the machine's errno; what has none stays what it is. */
export function asKernelError(error: unknown): Error {
  const { errno } = error as NodeJS.ErrnoException;
  return typeof errno === 'number' ? new KernelError(Math.abs(errno)) : (error as Error);
}
