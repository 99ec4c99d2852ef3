/**
 * What an operation of the file system is: it decodes its request, asks the tree, and builds a reply. It fails
 * by throwing a KernelError, and may sleep. The session catches, waits and sends.
 * @module
 */

import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { KernfsFile } from '../kernfs/file.js';
import type { KernfsNode } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Sleeps } from '../lib/sleep.js';
import type { BackingFiles } from './backing.js';
import type { KernelCache } from './cache.js';
import type { HandleTable } from './handles.js';
import type { NodeTable } from './nodes.js';
import type { Reply, Request } from './request.js';
import type { View } from './view.js';

/** What operations work on. */
export interface Mount {
  readonly nodes: NodeTable;
  readonly handles: HandleTable;
  readonly cache: KernelCache;
  /** Undefined when reads are not passed through. */
  readonly backings: BackingFiles | undefined;
  readonly view: View;
}

export type Operation = (mount: Mount, request: Request) => Sleeps<Reply | undefined>;

/** Operations by their code on the wire. */
export type Operations = Readonly<Record<number, Operation>>;

/** @throws ENOTDIR when the node of the request is no directory */
export function dirOf(mount: Mount, request: Request): KernfsDir {
  const node: KernfsNode = mount.nodes.get(request.nodeid);
  if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
  return node;
}

/** @throws ENXIO when the node of the request is no regular file */
export function fileOf(mount: Mount, request: Request): KernfsFile {
  const node = mount.nodes.get(request.nodeid);
  if (!(node instanceof KernfsFile)) throw new KernelError(Errno.ENXIO);
  return node;
}
