/**
 * What of a tree a mount shows, and how long the kernel may remember it. A tree by itself is shown as it is, and
 * remembered for an hour, for every change of it is taken back. A view may show more in its directories: nodes that
 * change without anybody being told, which the kernel has to ask about each time.
 * @module
 */

import type { DirEntry, KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode, Stat } from '../kernfs/node.js';
import { cachedForAnHour, type Timeouts } from './cache.js';

export interface View {
  find(dir: KernfsDir, name: string): KernfsNode | undefined;
  /** Entries from a readdir offset on, as {@link KernfsDir.entriesFrom}. */
  entriesFrom(dir: KernfsDir, offset: number): Iterable<DirEntry>;
  firstOffset(dir: KernfsDir): number;
  /**
   * Attributes of a node. The kernel keeps a listing while the directory has the same time of modification, so where
   * it asks each time, that time changes with the entries.
   */
  getattr(node: KernfsNode): Stat;
  timeouts(node: KernfsNode): Timeouts;
  /** Whether the tree tells of every name that comes, so that the kernel may remember one as missing. */
  tellsNames(dir: KernfsDir): boolean;
}

export const plainView: View = {
  find: (dir, name) => dir.find(name),
  entriesFrom: (dir, offset) => dir.entriesFrom(offset),
  firstOffset: (dir) => dir.firstOffset,
  getattr: (node) => node.getattr(),
  timeouts: () => cachedForAnHour,
  tellsNames: () => true,
};
