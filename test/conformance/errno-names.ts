/**
 * Numbers and names of errnos, for every errno of this host: recordings carry names, system calls numbers.
 * @module
 */

import { constants } from 'node:os';
import { KernelError } from '../../src/lib/errno.js';
import { SysError } from './sys.js';

const byNumber = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) {
  // EWOULDBLOCK and ENOTSUP are second names of EAGAIN and EOPNOTSUPP.
  if (name !== 'EWOULDBLOCK' && name !== 'ENOTSUP') byNumber.set(value, name);
}
const more = { EUSERS: 87, EBADFD: 77 };
for (const [name, value] of Object.entries(more)) byNumber.set(value, name);

/** The name of an errno, or its number where it has none. */
export function nameOfErrno(errno: number): string {
  return byNumber.get(errno) ?? String(errno);
}

/** The errno an exception carries, whichever side of the interface threw it. */
export function errnoOf(error: unknown): number | undefined {
  return error instanceof SysError || error instanceof KernelError ? error.errno : undefined;
}
