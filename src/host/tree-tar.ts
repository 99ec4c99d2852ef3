/**
 * Reads a sysfs from an archive, as `tar -C / -c sys`, `bsdtar` and reports of support tools hold one; compressed or not.
 *
 * An archive does not tell all: of files that could not be opened nothing is in it, and of those that could not be read
 * nothing (tree-copy.ts). So nothing is missing on purpose.
 * @module
 */

import { createReadStream, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { newDir, Tree, TreeTooLargeError, type TreeNode } from '../machine/tree.js';
import { openToRead } from './safe-file.js';
import { contentOfCopy } from './tree-copy.js';

const PAGE_SIZE = 4096;
const MIB = 1024 * 1024;
const TOPS = ['bus', 'class', 'devices'];
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** Longer than any magic number. */
const HEAD = 4;

/** What an archive can take of memory and time. A server with many devices has a part of it. */
export const limits = {
  nodes: 200_000,
  /** Bytes of one file that are kept, as of a directory. */
  file: 256 * 1024,
  /** Bytes that are kept of all: of what is in files, of paths and targets of links. */
  kept: 40 * MIB,
  /** Bytes of the archive when it is not compressed: tar(1) writes as many zeros as a PCI resource is large. */
  all: 1024 * MIB,
  /** Letters of a path. */
  path: 1024,
};

/**
 * @param progress told how many nodes there are so far
 * @throws Error when it is no archive, or there is no sysfs in it; TreeTooLargeError when there is too much
 */
export async function readTar(file: string, progress: (nodes: number) => void = () => {}): Promise<Tree> {
  const found = new Map<string, TreeNode>();
  let entries = 0;
  let kept = 0;
  let fault: Error | undefined;
  const keep = (path: string, node: TreeNode | undefined): void => {
    if (++entries > limits.nodes) fault ??= new TreeTooLargeError(`more than ${limits.nodes} nodes`);
    if (!node || fault) return;
    if (path.length > limits.path)
      fault ??= new TreeTooLargeError(`a path of more than ${limits.path} letters`);
    else found.set(path, node);
    kept += path.length + (node.kind === 'link' ? node.text.length : 0);
    if (node.kind === 'file') kept += node.content?.length ?? 0;
    if (kept > limits.kept)
      fault ??= new TreeTooLargeError(`more than ${limits.kept / MIB} MiB in its files and paths`);
    progress(found.size);
  };
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => readEntry(entry, (node) => keep(clean(entry.path), node)),
  });
  parser.on('error', (error: Error) => {
    fault ??= error;
  });
  let total = 0;
  for await (const chunk of contentOf(openToRead(file))) {
    total += chunk.length;
    if (total > limits.all) fault ??= new TreeTooLargeError(`more than ${limits.all / MIB} MiB`);
    if (fault) throw fault;
    parser.write(chunk);
  }
  const ended = new Promise<void>((resolve) => {
    parser.on('end', resolve);
    parser.on('error', () => resolve());
  });
  parser.end();
  if (!fault) await ended;
  if (fault) throw fault;
  return treeOf(found);
}

/** What is in a file, taken out of gzip. It is not taken out of anything else, and not twice, so that what comes out is counted. */
async function* contentOf(fd: number): AsyncGenerator<Buffer> {
  const head = Buffer.alloc(HEAD);
  readSync(fd, head, 0, HEAD, 0);
  const file = createReadStream('', { fd });
  const stream = isGzip(head) ? pipeline(file, createGunzip({ chunkSize: MIB }), () => {}) : file;
  try {
    let first: Buffer | undefined = Buffer.alloc(0);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (!first) {
        yield chunk;
        continue;
      }
      first = Buffer.concat([first, chunk]);
      if (first.length < HEAD) continue;
      if (isGzip(first)) throw new Error('compressed twice; gunzip it');
      if (first.subarray(0, HEAD).equals(ZSTD)) throw new Error('compressed with zstd; unzstd it');
      yield first;
      first = undefined;
    }
    if (first) yield first;
  } finally {
    file.destroy();
  }
}

const isGzip = (bytes: Buffer) => bytes.subarray(0, GZIP.length).equals(GZIP);

function treeOf(found: ReadonlyMap<string, TreeNode>): Tree {
  const prefix = prefixOf([...found.keys()]);
  if (prefix === undefined) throw new Error('no directories bus, class and devices in it');
  const tree = new Tree(newDir(0o755, true), limits.nodes);
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

/** Takes an entry out of the stream. @param done told when it is whole, if there is a place for it in a tree */
function readEntry(entry: ReadEntry, done: (node: TreeNode | undefined) => void): void {
  const mode = (entry.mode ?? 0o644) & 0o7777;
  switch (entry.type) {
    case 'Directory':
      done(newDir(mode, true));
      break;
    case 'SymbolicLink':
      done({ kind: 'link', text: entry.linkpath ?? '' });
      break;
    case 'File':
    case 'OldFile':
    case 'ContiguousFile': {
      const { size } = entry;
      const pieces: Buffer[] = [];
      if (size <= limits.file) entry.on('data', (piece: Buffer) => pieces.push(piece));
      entry.on('end', () => {
        // Most are zeros up to a page: what is kept is a copy of the rest.
        const content = contentOfCopy(Buffer.concat(pieces));
        done({
          kind: 'file',
          mode,
          size,
          ...(content && { content: Buffer.from(content) }),
          ...(size !== PAGE_SIZE && { unsure: 'size' as const }),
        });
      });
      break;
    }
    default:
      done(undefined);
  }
  entry.resume();
}
