/**
 * Reads a sysfs from an archive, as `tar -C / -c sys`, `bsdtar` and reports of support tools hold one; compressed or not.
 *
 * An archive does not tell all: of files that could not be opened nothing is in it, and of those that could not be read
 * nothing (tree-copy.ts). So nothing is missing on purpose.
 * @module
 */

import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Parser, type ReadEntry } from 'tar';
import { newDir, Tree, type TreeNode } from '../machine/tree.js';
import { contentOfCopy } from './tree-copy.js';

const PAGE_SIZE = 4096;
const TOPS = ['bus', 'class', 'devices'];

/**
 * @param progress told how many nodes there are so far
 * @throws Error when it is no archive, or there is no sysfs in it
 */
export async function readTar(file: string, progress: (nodes: number) => void = () => {}): Promise<Tree> {
  const found = new Map<string, TreeNode>();
  const reading: Promise<void>[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      reading.push(
        nodeOf(entry).then((node) => {
          if (node) found.set(clean(entry.path), node);
          progress(found.size);
        }),
      );
    },
  });
  await pipeline(createReadStream(file), parser as unknown as NodeJS.WritableStream);
  await Promise.all(reading);
  const prefix = prefixOf([...found.keys()]);
  if (prefix === undefined) throw new Error('no directories bus, class and devices in it');
  const tree = new Tree(newDir(0o755, true));
  for (const [path, node] of found) {
    if (!path.startsWith(prefix) || path.length === prefix.length) continue;
    const at = `/sys/${path.slice(prefix.length)}`;
    if (node.kind === 'dir') tree.makeDir(at).mode = node.mode;
    else tree.put(at, node);
  }
  return tree;
}

const clean = (path: string) => path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');

/** What stands before `bus`, `class` and `devices`: the shortest that has all three. */
function prefixOf(paths: readonly string[]): string | undefined {
  const prefixes = new Map<string, Set<string>>();
  for (const path of paths) {
    const match = /^((?:.*?\/)?)(bus|class|devices)(\/|$)/.exec(path);
    if (!match) continue;
    const tops = prefixes.get(match[1]!) ?? new Set();
    prefixes.set(match[1]!, tops.add(match[2]!));
  }
  const whole = [...prefixes].filter(([, tops]) => TOPS.every((top) => tops.has(top)));
  return whole.map(([prefix]) => prefix).sort((a, b) => a.length - b.length)[0];
}

async function nodeOf(entry: ReadEntry): Promise<TreeNode | undefined> {
  const mode = (entry.mode ?? 0o644) & 0o7777;
  switch (entry.type) {
    case 'Directory':
      entry.resume();
      return newDir(mode, true);
    case 'SymbolicLink':
      entry.resume();
      return { kind: 'link', text: entry.linkpath ?? '' };
    case 'File':
    case 'OldFile':
    case 'ContiguousFile': {
      const { size } = entry;
      const content = contentOfCopy(await entry.concat());
      return { kind: 'file', mode, size, content, ...(size !== PAGE_SIZE && { unsure: 'size' as const }) };
    }
    default:
      entry.resume();
      return undefined;
  }
}
