/**
 * A symbolic link (fs/kernfs/symlink.c): it holds its target node, and its text is the relative path from the
 * link's directory to wherever that node is. A link has size 0, as sysfs reports it.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { KernfsDir } from './dir.js';
import { KernfsNode, type KernfsRoot, S_IFLNK } from './node.js';

export class KernfsLink extends KernfsNode {
  constructor(
    root: KernfsRoot,
    name: string,
    readonly target: KernfsNode,
  ) {
    super(root, name, S_IFLNK | 0o777);
  }

  override get size(): number {
    return 0;
  }

  /**
   * @throws ENOENT when the link itself was removed
   */
  readlink(): string {
    if (!this.parent) throw new KernelError(Errno.ENOENT);
    return relativePath(this.parent, this.target);
  }
}

/** The text of a link: up to the closest directory that is above the target too, then down to the target. */
function relativePath(from: KernfsDir, target: KernfsNode): string {
  const above = new Map<KernfsNode, number>();
  let up = 0;
  for (let dir: KernfsDir | undefined = from; dir; dir = dir.parent) above.set(dir, up++);
  const down = [target.name];
  // A removed target has lost its place; its own name is all that is left of its path.
  let node = target.parent;
  while (node && !above.has(node)) {
    down.push(node.name);
    node = node.parent;
  }
  return '../'.repeat(node ? above.get(node)! : 0) + down.reverse().join('/');
}
