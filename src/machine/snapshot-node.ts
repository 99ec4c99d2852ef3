/**
 * Nodes of a tree as raw nodes of a fixture.
 * @module
 */

import { PAGE_SIZE } from '../kernfs/file.js';
import type { RawNode, RawNodeEntry } from './fixture-node.js';
import { parentOf, resolveLink, type TreeFile, type TreeNode } from './tree.js';

const octal = (mode: number) => `0${mode.toString(8).padStart(3, '0')}`;
const FILE_MODE = 0o444;
const DIR_MODE = 0o755;

/** Whether bytes can be told as text: printable, or at least no control characters but the usual. */
function isText(bytes: Uint8Array): boolean {
  return bytes.length < PAGE_SIZE && bytes.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

/**
 * @param path where it is
 * @returns undefined for a link that leads out of the tree
 */
export function rawEntry(path: string, node: TreeNode): RawNodeEntry | undefined {
  switch (node.kind) {
    case 'link': {
      const target = resolveLink(parentOf(path), node.text);
      return /^\/sys\/./.test(target) ? { target } : undefined;
    }
    case 'dir': {
      const entries: Record<string, RawNodeEntry> = {};
      for (const name of [...node.entries.keys()].sort()) {
        const entry = rawEntry(`${path}/${name}`, node.entries.get(name)!);
        if (entry !== undefined) entries[name] = entry;
      }
      return { ...(node.mode !== DIR_MODE && { mode: octal(node.mode) }), entries };
    }
    case 'file':
      return rawFile(node);
  }
}

/**
 * @param replaced the file that it takes the place of, from which a text has its mode and size
 */
export function rawFile(
  file: TreeFile,
  replaced: Pick<TreeFile, 'mode' | 'size'> = { mode: FILE_MODE, size: PAGE_SIZE },
): RawNode | string {
  const { content, error, unsure } = file;
  const mode = unsure === 'mode and size' ? replaced.mode : file.mode;
  const bytes = Buffer.from(content ?? []);
  const size = unsure ? (isText(bytes) ? replaced.size : bytes.length) : file.size;
  const raw: RawNode = mode === replaced.mode ? {} : { mode: octal(mode) };
  if (error !== undefined) return { ...raw, readError: error, ...(size !== PAGE_SIZE && { size }) };
  if ((mode & 0o444) === 0) return { mode: octal(mode), ...(size !== PAGE_SIZE && { size }) };
  if (isText(bytes) && (bytes.length > 0 || size === PAGE_SIZE)) {
    const text = bytes.toString('latin1');
    if (raw.mode === undefined && size === replaced.size) return text;
    return { ...raw, content: text, ...(size !== replaced.size && { size }) };
  }
  return { ...raw, hex: bytes.toString('hex'), ...(size !== bytes.length && { size }) };
}
