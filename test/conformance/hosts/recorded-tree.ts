/**
 * A recorded snapshot as a tree. A directory is incomplete where the recording lists what it does not describe.
 * @module
 */

import type { ErrnoName } from '../../../src/lib/errno.js';
import { newDir, Tree, type TreeFile } from '../../../src/machine/tree.js';
import { decodeBytes, isBytesForm } from '../data.js';
import type { Snapshot, SnapshotNode } from '../recording.js';

export function recordedTree({ nodes }: Snapshot): Tree {
  const tree = new Tree(newDir(0o755, true));
  const isThere = (path: string) => nodes[path] !== undefined && nodes[path].errno === undefined;
  for (const [path, node] of Object.entries(nodes)) {
    if (!path.startsWith('/sys/') || node.errno !== undefined) continue;
    if (node.type === 'dir') {
      const dir = tree.makeDir(path);
      dir.mode = modeOf(node);
      dir.partial = !node.entries?.every((name) => isThere(`${path}/${name}`));
    } else if (node.target !== undefined) tree.put(path, { kind: 'link', text: node.target });
    else tree.put(path, fileOf(node));
  }
  return tree;
}

const modeOf = ({ mode }: SnapshotNode) => Number.parseInt(mode!, 8);

function fileOf(node: SnapshotNode): TreeFile {
  const { content } = node;
  const file: TreeFile = { kind: 'file', mode: modeOf(node), size: node.size! };
  const error = node.read_errno ?? node.open_errno;
  if ((file.mode & 0o444) === 0) return file;
  if (error !== undefined) return { ...file, error: error as ErrnoName };
  // What was cut is not known.
  if (!isBytesForm(content) || content.truncated_total !== undefined) return file;
  return { ...file, content: decodeBytes(content) };
}
