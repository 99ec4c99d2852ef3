/**
 * `mdevfs tree`: parents, what they offer, and what was made of it, at one look.
 * @module
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readMdevTree } from '../host/mdev-tree.js';
import { EXIT_USAGE, failure } from './error.js';
import { assertDirectory } from './named.js';
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
  const dir = path ?? onlyTree();
  assertDirectory(dir);
  const found = readMdevTree(dir);
  if (found.parents.length === 0) assertSysfs(found.sysfs);
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

/** What has no mediated devices may have a reason. */
function assertSysfs(sysfs: string): void {
  if (existsSync(join(sysfs, MARK))) return;
  const isDirectory = (name: string) =>
    statSync(join(sysfs, name), { throwIfNoEntry: false })?.isDirectory() === true;
  if (isDirectory('devices') && isDirectory('bus'))
    throw failure(`${sysfs}: no mediated devices, since it has no ${MARK}`);
  throw failure(
    `${sysfs}: no sysfs, since it has no directories bus and devices; mdevfs status lists trees`,
    EXIT_USAGE,
  );
}

function onlyTree(): string {
  const trees = servedTrees();
  if (trees.length > 1)
    throw failure(`several trees are mounted; choose one, such as mdevfs tree ${trees[0]}`, EXIT_USAGE);
  if (trees.length === 1) return trees[0]!;
  if (existsSync(join(SYS, MARK))) return SYS;
  throw failure('no tree is mounted, and this machine has no mediated devices; mdevfs mount DIR');
}
