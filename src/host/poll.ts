/**
 * poll(2), for a program that has nothing else to do meanwhile.
 * @module
 */

import type { NativeCalls } from './native.js';

const POLLPRI = 2;
const POLLFD_SIZE = 8;
const FOREVER = -1;

/** @returns a function that sleeps until the value of a sysfs file changed since it was read, or the file is gone */
export function newsOf(calls: NativeCalls, fd: number): () => void {
  const poll = calls.bind('int poll(void *fds, unsigned long count, int timeout)');
  const pollfd = Buffer.alloc(POLLFD_SIZE);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeInt16LE(POLLPRI, 4);
  return () => void calls.checked('poll', poll(pollfd, 1, FOREVER));
}
