/**
 * `mdevfs tree`: parents, what they offer, and what was made of it, at one look.
 * @module
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMdevTree } from '../host/mdev-tree.js';
import { EXIT_USAGE, failure } from './error.js';
import { dotOf } from './tree-dot.js';
import { svgOf } from './tree-svg.js';
import { textOf } from './tree-text.js';
import { servedTrees } from './trees.js';

export interface TreeCommandOptions {
  json?: boolean;
  dot?: boolean;
  svg?: boolean;
}

const SYS = '/sys';
const MARK = 'class/mdev_bus';

/** @returns the exit code */
export function tree(path: string | undefined, options: TreeCommandOptions): number {
  const formats = (['json', 'dot', 'svg'] as const).filter((name) => options[name]);
  if (formats.length > 1)
    throw failure(`--${formats[0]} and --${formats[1]} exclude each other; choose one`, EXIT_USAGE);
  const found = readMdevTree(path ?? onlyTree());
  if (found.parents.length === 0 && !existsSync(join(found.sysfs, MARK)))
    throw failure(`${found.sysfs}: no ${MARK} in it; give the directory of a mount, see mdevfs status`);
  process.stdout.write(written());
  return 0;

  function written(): string {
    switch (formats[0]) {
      case 'json':
        return `${JSON.stringify(found, null, 2)}\n`;
      case 'dot':
        return dotOf(found);
      case 'svg':
        return svgOf(found);
      default:
        return textOf(found);
    }
  }
}

function onlyTree(): string {
  const trees = servedTrees();
  if (trees.length > 1)
    throw failure(`several trees are mounted; choose one, such as mdevfs tree ${trees[0]}`);
  if (trees.length === 1) return trees[0]!;
  if (existsSync(join(SYS, MARK))) return SYS;
  throw failure('no tree is mounted, and this machine has no mediated devices; mdevfs mount DIR');
}
