/**
 * A transport shows a kernfs tree to every process at a mountpoint. There are two: the FUSE protocol spoken
 * directly (src/host/mount.ts, which needs to mount by itself) and libfuse 2 by way of fuse-native.
 *
 * Whoever mounts must not touch the mountpoint afterwards: a synchronous file system call there waits for an
 * answer that the same thread would have to give.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import type { Announcement } from './announcement.js';
import type { View } from './view.js';

/** Takes one line, or a stack trace. */
export type Log = (text: string) => void;

export interface MountOptions {
  /** Where faults of the emulation go; standard error when not given. */
  log?: Log;
  /** A directory of the tree to show the counts of operations in, as the file `ops`. */
  counts?: KernfsDir;
  /** Whether the kernel may serve reads of constant attributes by itself, where it can; true when not given. */
  passthrough?: boolean;
  /** What is shown of the tree; all of it, and nothing else, when not given. */
  view?: View;
}

export interface Mounted {
  /**
   * Takes the tree away from the mountpoint, also while it is in use: who still holds something open there
   * gets ENOTCONN from then on.
   */
  unmount(): Promise<void>;
  /** Settles when the tree is no longer served, whoever unmounted it. */
  readonly done: Promise<void>;
  /**
   * Tells somebody of a change in the tree, once no process can see the tree any more as it was before, and before
   * the write that is being served returns. Announcements leave in order.
   */
  announce(announcement: Announcement): void;
  /**
   * Has something done before a file of the tree is read or written. Undefined where that cannot be had.
   */
  before?(first: () => void): void;
  /** Why reads of constant attributes are not passed through to the kernel; undefined when they are. */
  readonly noPassthrough: string | undefined;
}

export interface Transport {
  readonly name: string;
  /**
   * Mounts the tree and returns once the kernel accepted it.
   * @param dir absolute path of an existing directory
   */
  mount(root: KernfsDir, dir: string, options?: MountOptions): Promise<Mounted>;
}
