/**
 * The shape of the tree that everybody serves: what is there without devices, and what one device adds. Taken from a
 * mounted mdevfs, so that it is always today's.
 * @module
 */

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Interrupted, isInterrupted } from './child.js';

export interface TreeNode {
  kind: 'd' | 'f' | 'l';
  /** Octal. */
  mode: string;
  path: string;
  target: string;
}

export interface Tree {
  base: TreeNode[];
  /** With {u} for the UUID and {n} for the number, parents first. */
  device: TreeNode[];
}

export const uuidOf = (number: number): string =>
  `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** For `find ROOT -printf`. */
export const FIND_FORMAT = '%y\\t%m\\t%P\\t%l\\n';

export function parseFind(text: string): TreeNode[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [kind, mode, path, target] = line.split('\t');
      return { kind: kind as TreeNode['kind'], mode: mode!, path: path!, target: target! };
    })
    .filter(({ path }) => path !== '');
}

const expand = (text: string, number: number): string =>
  text.replaceAll('{u}', uuidOf(number)).replaceAll('{n}', String(number));

export function deviceNodes(tree: Tree, number: number): TreeNode[] {
  return tree.device.map((node) => ({
    ...node,
    path: expand(node.path, number),
    target: expand(node.target, number),
  }));
}

/**
 * Tells what belongs to a device from the rest.
 * @param before nodes of a tree with devices number 0 to `number` - 1
 * @param after those with device `number` too, a number that is easy to find
 * @throws Error when the devices do not look all the same
 */
export function treeOf(before: TreeNode[], after: TreeNode[], number: number): Tree {
  const known = new Set(before.map(({ path }) => path));
  const itself = new RegExp(`(?<![0-9])${number}(?![0-9])`, 'g');
  const generalise = (text: string): string =>
    text
      .split(uuidOf(number))
      .map((part) => part.replace(itself, '{n}'))
      .join('{u}');
  const device = after
    .filter(({ path }) => !known.has(path))
    .map((node) => ({ ...node, path: generalise(node.path), target: generalise(node.target) }));
  const tree: Tree = { base: before, device };
  const ofDevices = new Set<string>();
  for (let i = 0; i < number; i++)
    for (const { path } of deviceNodes(tree, i)) {
      if (!known.has(path)) throw new Error(`the devices of the tree differ: no ${path}`);
      ofDevices.add(path);
    }
  tree.base = before.filter(({ path }) => !ofDevices.has(path));
  return tree;
}

/** The tree as libfuse3.c reads it. */
export function manifest(tree: Tree): string {
  const lines = (scope: string, nodes: TreeNode[]): string =>
    nodes.map(({ kind, mode, path, target }) => `${[scope, kind, mode, path, target].join('\t')}\n`).join('');
  return lines('B', tree.base) + lines('T', tree.device);
}

/** Makes a copy with real files. */
export async function plant(root: string, tree: Tree, devices: number): Promise<void> {
  const make = ({ kind, mode, path, target }: TreeNode): void => {
    const at = join(root, path);
    if (kind === 'd') mkdirSync(at, Number.parseInt(mode, 8));
    else if (kind === 'l') symlinkSync(target, at);
    else writeFileSync(at, '1999990\n', { mode: Number.parseInt(mode, 8) });
  };
  tree.base.forEach(make);
  for (let i = 0; i < devices; i++) {
    deviceNodes(tree, i).forEach(make);
    // An interruption is noticed in between.
    if (i % 100 === 99) await setImmediate();
    if (isInterrupted()) throw new Interrupted('interrupted');
  }
}
