/**
 * What a tree tells whoever shows it to others: entries come and go, attributes and values change.
 * The FUSE session turns these into invalidations of what the kernel caches.
 * @module
 */

import type { KernfsDir } from './dir.js';
import type { KernfsNode } from './node.js';

export interface KernfsObserver {
  /** An entry appeared in a directory. The node itself may not be made yet. */
  added?(dir: KernfsDir, name: string): void;
  /** An entry left a directory; `node` is what it was, when anybody had looked at it. */
  removed?(dir: KernfsDir, name: string, node: KernfsNode | undefined): void;
  /** A node lost its place: an entry that left, or one below it. Directories come before what is in them. */
  deactivated?(node: KernfsNode): void;
  /** Mode, owner or times of a node changed. */
  attributesChanged?(node: KernfsNode): void;
  /** A file took what was written to it, and whoever wrote has not been told yet. */
  written?(node: KernfsNode): void;
  /** The value of a file changed and its pollers are to be woken (sysfs_notify). */
  notified?(node: KernfsNode): void;
  /** Other files may get faults than before. */
  faultsChanged?(): void;
}
