/**
 * What the kernel remembers of the tree, and how it is taken back. Names, attributes, link texts and listings are
 * given out for an hour, so a warm path costs no request at all; a change takes back exactly what it outdates,
 * before the write that caused it returns. There is no stale answer, also not for somebody who looked before.
 *
 * The kernel has three kinds of memory, and two ways to empty them:
 *
 * * INVAL_INODE drops a node's attributes and its pages: a directory's listing, a link's text. It takes no lock
 *   that a request holds, so the thread that answers requests sends it, before the answer.
 * * INVAL_ENTRY drops a name, known or known to be missing. It takes the lock of the parent directory, which any
 *   LOOKUP or READDIR of any process may hold while it waits for us. The thread that answers requests must
 *   therefore never send it: a {@link Notifier} on a thread of its own does, and sends the answer to the write
 *   after it, so that the writer returns when every cache is clean. A write holds the lock of its file alone.
 *   NOTIFY_DELETE is no way out: it locks the child too, and that is the file being written to.
 *
 * What was answered before a change may arrive after it. An answer to LOOKUP arrives under the lock that INVAL_ENTRY
 * waits for; one to GETATTR is compared with a version that INVAL_INODE counts. A listing has nothing like that: its
 * reader may put the old entries into pages just emptied. So when entries of a directory were given out since its
 * last change, INVAL_ENTRY of the name that changed goes first, which waits until every reader has put its entries
 * away, and then INVAL_INODE drops them.
 * @module
 */

import { isDir, type KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { KernfsObserver } from '../kernfs/notify.js';
import type { Announcement } from './announcement.js';
import { NegativeNames } from './negatives.js';
import type { NodeTable } from './nodes.js';
import { invalEntry, invalInode } from './notification.js';

/** Seconds. */
export interface Timeouts {
  /** How long a name leads to its node, or to nothing. */
  readonly entry: number;
  /** How long attributes of a node hold. */
  readonly attr: number;
}

export const cachedForAnHour: Timeouts = { entry: 3600, attr: 3600 };

/** Stands for an entry of a directory that has none any more. */
const NO_NAME = 'removed';

/** Sends messages from a thread that may wait. */
export interface Notifier {
  /**
   * Sends the messages in order, after all that were posted before. Their memory is the caller's again at once.
   * @param to the mount of the tree, or that of the backing files
   */
  post(messages: readonly Buffer[], to?: 'tree' | 'backings'): void;
  /** Sends what is not for FUSE, in the same order. */
  announce(announcement: Announcement): void;
  /** Whether everything posted has been sent. */
  readonly idle: boolean;
}

export class KernelCache implements KernfsObserver {
  readonly negatives = new NegativeNames();
  /** Nodes whose attributes or pages are outdated. */
  readonly #inodes = new Set<number>();
  /** INVAL_ENTRY messages, in order. */
  #entries: Buffer[] = [];
  /** Directories whose pages are outdated once those have been sent. */
  readonly #listings = new Set<number>();
  #scheduled = false;

  /**
   * @param isOpen whether somebody has the node open, and can look at it when it is gone
   * @param changed called once, when the first thing is outdated; {@link takeInodes} and {@link takeEntries} answer
   *   what has to be sent
   */
  constructor(
    readonly nodes: NodeTable,
    readonly isOpen: (node: KernfsNode) => boolean,
    readonly changed: () => void,
  ) {}

  added(dir: KernfsDir, name: string): void {
    for (const nodeid of this.nodes.numbersOf(dir)) {
      const missed = this.negatives.delete(nodeid, name);
      this.#entryChanged(nodeid, name, missed);
    }
  }

  removed(dir: KernfsDir, name: string, node: KernfsNode | undefined): void {
    const known = node !== undefined && this.nodes.knows(node);
    for (const nodeid of this.nodes.numbersOf(dir)) this.#entryChanged(nodeid, name, known);
  }

  /**
   * What is below a removed directory can still be reached by whoever works there, or has it open. For everybody else
   * it goes with the name of the directory.
   */
  deactivated(node: KernfsNode): void {
    if (!this.nodes.knows(node) || !(isDir(node) || this.isOpen(node))) return;
    if (isDir(node)) this.#emptied(node);
    else this.#inodeChanged(node);
    if (node.parent?.removed) this.forgetName(node.parent, node.name);
  }

  attributesChanged(node: KernfsNode): void {
    if (this.nodes.knows(node)) this.#inodeChanged(node);
  }

  /** Has the next who uses a name ask again. */
  forgetName(dir: KernfsDir, name: string): void {
    for (const nodeid of this.nodes.numbersOf(dir)) this.#entries.push(invalEntry(nodeid, name));
    this.#schedule();
  }

  get isOutdated(): boolean {
    return this.#scheduled;
  }

  /** INVAL_INODE messages that are due; to be sent at once. */
  takeInodes(): Buffer[] {
    const messages = [...this.#inodes].map(invalInode);
    this.#inodes.clear();
    return messages;
  }

  /** Messages that are due after those; to be posted before the answer to what caused them. */
  takeEntries(): Buffer[] {
    const messages = [...this.#entries, ...[...this.#listings].map(invalInode)];
    this.#entries = [];
    this.#listings.clear();
    this.#scheduled = false;
    return messages;
  }

  /** @param cached whether the kernel may have the name */
  #entryChanged(dir: number, name: string, cached: boolean): void {
    const listed = this.nodes.takeListed(dir);
    if (listed || cached) this.#entries.push(invalEntry(dir, name));
    (listed ? this.#listings : this.#inodes).add(dir);
    this.#schedule();
  }

  #emptied(dir: KernfsDir): void {
    for (const nodeid of this.nodes.numbersOf(dir)) this.#entryChanged(nodeid, NO_NAME, false);
  }

  #inodeChanged(node: KernfsNode): void {
    for (const nodeid of this.nodes.numbersOf(node)) this.#inodes.add(nodeid);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.changed();
  }
}
