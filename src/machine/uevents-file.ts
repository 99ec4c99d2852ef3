/**
 * `kernel/debug/mdevfs/uevents`: the uevents of the machine, for whoever has no netlink socket that they reach. Each
 * opening is a subscription. A read takes what happened since the last one, as a stream of blocks: the header line,
 * a line for each variable, and an empty line. It does not wait; poll(2) with POLLPRI does, once everything has
 * been read.
 *
 *     exec 3<uevents; echo $UUID > create; cat <&3
 *
 * As on netlink, who does not read loses events, and is told so: the next read is ENOBUFS.
 * @module
 */

import { type Uevent, type Uevents, ueventMessage } from '../base/uevent.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, type KernfsFileOps } from '../kernfs/file.js';
import { Errno, KernelError } from '../lib/errno.js';

/** Bytes that may wait for a reader. */
const ROOM = 4 * 1024 * 1024;

export function addUeventsFile(dir: KernfsDir, uevents: Uevents): void {
  const file = dir.add(
    new KernfsFile(dir.root, 'uevents', 0o400, {
      size: 0,
      read: () => Buffer.alloc(0),
      open: () => new Listener(uevents, () => file.notify()),
    }),
  );
}

class Listener implements KernfsFileOps {
  readonly size = 0;
  readonly release: () => void;
  /** The messages that wait; of the first, what is left of it. */
  readonly #waiting: Buffer[] = [];
  #length = 0;
  #lost = false;

  constructor(uevents: Uevents, heard: () => void) {
    this.release = uevents.subscribe((event) => {
      this.#hear(event);
      heard();
    });
  }

  #hear(event: Uevent): void {
    const block = Buffer.from(
      `${ueventMessage(event).toString('latin1').replaceAll('\0', '\n')}\n`,
      'latin1',
    );
    if (this.#length + block.length > ROOM) {
      this.#lost = true;
      return;
    }
    this.#waiting.push(block);
    this.#length += block.length;
  }

  /** @throws ENOBUFS once, when events were lost */
  read(_offset: number, length: number): Uint8Array {
    if (this.#lost) {
      this.#lost = false;
      throw new KernelError(Errno.ENOBUFS);
    }
    const taken: Buffer[] = [];
    for (let room = length; room > 0 && this.#waiting.length > 0; ) {
      const [first] = this.#waiting as [Buffer];
      const piece = first.subarray(0, room);
      if (piece.length < first.length) this.#waiting[0] = first.subarray(piece.length);
      else this.#waiting.shift();
      taken.push(piece);
      room -= piece.length;
      this.#length -= piece.length;
    }
    return Buffer.concat(taken);
  }
}
