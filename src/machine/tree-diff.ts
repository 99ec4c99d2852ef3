/**
 * Where two trees differ.
 * @module
 */

import type { Tree, TreeDir, TreeFile, TreeNode } from './tree.js';

export interface Difference {
  path: string;
  /** What is there; undefined when there is nothing. */
  is: TreeNode | undefined;
  /** What should be there; undefined when nothing should. */
  wanted: TreeNode | undefined;
}

/**
 * @param wanted what should be there. What it does not have is no difference where it is incomplete
 * @returns differences in order, a directory that is missing or too much as one
 */
export function diffTrees(is: Tree, wanted: Tree): Difference[] {
  const differences: Difference[] = [];
  diffDirs('/sys', is.root, wanted.root, differences);
  return differences;
}

function diffDirs(path: string, is: TreeDir, wanted: TreeDir, differences: Difference[]): void {
  const names = new Set([...is.entries.keys(), ...wanted.entries.keys()]);
  for (const name of [...names].sort()) {
    const a = is.entries.get(name);
    const b = wanted.entries.get(name);
    const at = `${path}/${name}`;
    if (!b && wanted.partial) continue;
    if (a?.kind === 'dir' && b?.kind === 'dir') {
      if (a.mode !== b.mode && !b.partial) differences.push({ path: at, is: a, wanted: b });
      diffDirs(at, a, b, differences);
    } else if (!a || !b || !sameLeaf(a, b)) differences.push({ path: at, is: a, wanted: b });
  }
}

function sameLeaf(a: TreeNode, b: TreeNode): boolean {
  if (a.kind === 'link' && b.kind === 'link') return a.text === b.text;
  return a.kind === 'file' && b.kind === 'file' && sameKind(a, b) && sameContent(a, b);
}

function sameKind(is: TreeFile, wanted: TreeFile): boolean {
  const { unsure } = wanted;
  const sameMode = unsure === 'mode and size' || is.mode === wanted.mode;
  return sameMode && (unsure !== undefined || is.size === wanted.size);
}

/** What was not read may be anything. */
function sameContent(is: TreeFile, wanted: TreeFile): boolean {
  if (wanted.error === undefined && wanted.content === undefined) return true;
  if (is.error !== wanted.error) return false;
  return Buffer.compare(is.content ?? Buffer.alloc(0), wanted.content ?? Buffer.alloc(0)) === 0;
}
