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

/** Bytes that may wait for a reader, for all of them, and for one that finds those used up. */
const ROOM = 4 * 1024 * 1024;
const ROOM_OF_ALL = 64 * 1024 * 1024;
const ROOM_AT_LEAST = 256 * 1024;
/** Openings at the same time. */
const MOST_LISTENERS = 128;

export function addUeventsFile(dir: KernfsDir, uevents: Uevents): void {
  const shared: Shared = { listeners: 0, length: 0 };
  const file = dir.add(
    new KernfsFile(dir.root, 'uevents', 0o400, {
      size: 0,
      read: () => Buffer.alloc(0),
      open: () => new Listener(shared, uevents, () => file.notify()),
    }),
  );
}

/** What all listeners of a machine have. */
interface Shared {
  listeners: number;
  /** Bytes that wait for their readers. */
  length: number;
}

class Listener implements KernfsFileOps {
  readonly size = 0;
  readonly release: () => void;
  /** The messages that wait; of the first, what is left of it. */
  readonly #waiting: Buffer[] = [];
  #length = 0;
  #lost = false;

  /** @throws EMFILE when there are too many */
  constructor(
    readonly shared: Shared,
    uevents: Uevents,
    heard: () => void,
  ) {
    if (shared.listeners === MOST_LISTENERS) throw new KernelError(Errno.EMFILE);
    shared.listeners++;
    const unsubscribe = uevents.subscribe((event) => {
      this.#hear(event);
      heard();
    });
    this.release = () => {
      unsubscribe();
      shared.listeners--;
      shared.length -= this.#length;
      this.#length = 0;
    };
  }

  #takes(length: number): boolean {
    const own = this.#length + length;
    return own <= ROOM && (own <= ROOM_AT_LEAST || this.shared.length + length <= ROOM_OF_ALL);
  }

  #hear(event: Uevent): void {
    const block = Buffer.from(
      `${ueventMessage(event).toString('latin1').replaceAll('\0', '\n')}\n`,
      'latin1',
    );
    if (!this.#takes(block.length)) {
      this.#lost = true;
      return;
    }
    this.#waiting.push(block);
    this.#length += block.length;
    this.shared.length += block.length;
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
      this.shared.length -= piece.length;
    }
    return Buffer.concat(taken);
  }
}
