/**
 * What is said about a change in the tree to somebody who will then look at the tree: a uevent on its socket. It must
 * not arrive before the kernel has forgotten what the change outdates (cache.ts).
 * @module
 */

import { writeSync } from 'node:fs';
import createDebug from 'debug';

const debug = createDebug('mdevfs:fuse');

export interface Announcement {
  /** Descriptor that takes the message in one write(2). */
  readonly fd: number;
  readonly message: Buffer;
  /** Descriptor that something is read from before anything else leaves; the one who takes the message may look at the tree. */
  readonly answer?: number;
}

/** Nobody waits for an announcement, so one that is not taken is no fault of the change. */
export function sendAnnouncement({ fd, message }: Announcement): void {
  try {
    writeSync(fd, message);
  } catch (error) {
    debug(`announcement not taken: ${(error as NodeJS.ErrnoException).code}`);
  }
}
