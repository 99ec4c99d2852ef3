/**
 * Trees of machines for tests, and what a snapshot makes of them.
 * @module
 */

import { type Fixture, parseFixture } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { formatFixture, snapshot } from '../../src/machine/snapshot.js';
import type { MachineState } from '../../src/machine/state.js';
import type { Tree, TreeNode } from '../../src/machine/tree.js';
import { diffTrees } from '../../src/machine/tree-diff.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { StoppedClock } from './stopped-clock.js';

/** Time stands still, so that two machines that were made alike show the same. */
export const boot = (fixture: Fixture, state?: MachineState) =>
  Machine.fromFixture(fixture, { clock: new StoppedClock(), state });

const told = (node: TreeNode | undefined) => {
  if (!node) return 'nothing';
  if (node.kind === 'dir') return `a directory ${node.mode.toString(8)}`;
  if (node.kind === 'link') return `-> ${node.text}`;
  const content = node.error ?? (node.content && Buffer.from(node.content).toString('latin1'));
  return `${node.mode.toString(8)} ${node.size} ${JSON.stringify(content)}`;
};

/** Lines; none when a tree has all that is wanted. */
export const differences = (is: Tree, wanted: Tree): string[] =>
  diffTrees(is, wanted).map((each) => `${each.path}: is ${told(each.is)}, wanted ${told(each.wanted)}`);

export interface Taken {
  /** The fixture as a file. */
  text: string;
  fixture: Fixture;
  /** A machine of it. */
  machine: Machine;
  tree: Tree;
  /** How many nodes the snapshot says are otherwise. */
  reported: number;
}

export function take(tree: Tree): Taken {
  const { fixture, differences: reported } = snapshot(tree);
  const text = formatFixture(fixture);
  const parsed = parseFixture(text, 'snapshot.json');
  const machine = boot(parsed);
  return { text, fixture: parsed, machine, tree: machineTree(machine), reported: reported.length };
}
