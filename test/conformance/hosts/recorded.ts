/**
 * A recorded tree as a source of fixture data.
 * @module
 */

import type { ErrnoName } from '../../../src/lib/errno.js';
import type { RawNode } from '../../../src/machine/fixture-node.js';
import type { Snapshot, SnapshotNode } from '../recording.js';

export class Recorded {
  readonly nodes: Record<string, SnapshotNode>;

  constructor(snapshot: Snapshot) {
    this.nodes = snapshot.nodes;
  }

  node(path: string): SnapshotNode {
    const node = this.nodes[path];
    if (!node || node.errno !== undefined) throw new Error(`${path} is not recorded`);
    return node;
  }

  has(path: string): boolean {
    return this.nodes[path] !== undefined && this.nodes[path].errno === undefined;
  }

  entries(path: string): string[] {
    return this.node(path).entries ?? [];
  }

  /** Content of a text file, without its last newline. */
  text(path: string): string {
    return this.bytes(path).toString('latin1').replace(/\n$/, '');
  }

  bytes(path: string): Buffer {
    const { content } = this.node(path);
    if (content === undefined || content === 'skipped') throw new Error(`${path} has no recorded content`);
    return content.hex === undefined ? Buffer.from(content.s ?? '') : Buffer.from(content.hex, 'hex');
  }

  /** The path that a link leads to. */
  target(path: string): string {
    const parts = path.split('/').slice(0, -1);
    for (const part of this.node(path).target!.split('/')) {
      if (part === '..') parts.pop();
      else parts.push(part);
    }
    return parts.join('/');
  }

  /**
   * A node with all below it, as raw data.
   * @param change rewrites text content
   */
  raw(path: string, change: (text: string, name: string) => string = (text) => text): RawNode | string {
    const node = this.node(path);
    if (node.target !== undefined) return { target: this.target(path) };
    if (node.type === 'dir') {
      const entries = this.entries(path).map((name) => [name, this.raw(`${path}/${name}`, change)] as const);
      return { entries: Object.fromEntries(entries) };
    }
    const mode = node.mode!;
    const name = path.split('/').at(-1)!;
    const raw: RawNode = {
      ...(mode !== '0444' && { mode }),
      ...(node.read_errno !== undefined && { readError: node.read_errno as ErrnoName }),
    };
    if (node.content !== undefined && node.content !== 'skipped') {
      const bytes = this.bytes(path);
      const isText = node.content.hex === undefined || node.size === 4096;
      if (!isText) return { ...raw, hex: bytes.toString('hex') };
      raw.content = change(bytes.toString('latin1'), name);
      if (node.size !== 4096) raw.size = node.size;
    }
    const onlyText = Object.keys(raw).length === 1 && raw.content !== undefined;
    return onlyText ? raw.content! : raw;
  }

  /** Raw data of some entries of a directory. */
  rawEntries(
    path: string,
    without: readonly string[],
    change?: (text: string, name: string) => string,
  ): Record<string, RawNode | string> {
    const names = this.entries(path).filter((name) => !without.includes(name));
    return Object.fromEntries(names.map((name) => [name, this.raw(`${path}/${name}`, change)]));
  }
}
