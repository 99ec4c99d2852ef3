/**
 * The picture of `mdevfs tree` for a terminal: a line for everything, drawn like tree(1) does.
 * @module
 */

import colors from 'picocolors';
import type { MdevTree, MdevTreeDevice, MdevTreeParent, MdevTreeType } from '../host/mdev-tree.js';

interface Branch {
  line: string;
  below: Branch[];
}

export function textOf({ parents }: MdevTree): string {
  if (parents.length === 0) return 'no parent; see modprobe in kernel/debug/mdevfs/module\n';
  return parents.map((parent) => draw(branchOf(parent))).join('');
}

/** `2 of 16 free`: what is left of what there would be without its own devices. */
export function freeOf({ free, devices }: MdevTreeType): string {
  return free === null ? `${devices.length} made` : `${free} of ${free + devices.length} free`;
}

/** What is known of a parent besides its name. */
export function factsOf({ bus, driver, pciId, numaNode, iommuGroup }: MdevTreeParent): string[] {
  return [
    ...(pciId ? [`[${pciId}]`] : bus ? [bus] : []),
    ...(driver ? [`driver ${driver}`] : []),
    ...(iommuGroup === null ? [] : [`group ${iommuGroup}`]),
    ...(numaNode === null ? [] : [`NUMA node ${numaNode}`]),
  ];
}

function branchOf(parent: MdevTreeParent): Branch {
  const width = Math.max(0, ...parent.types.map(({ name }) => name.length));
  const pretty = Math.max(0, ...parent.types.map(({ prettyName }) => prettyName?.length ?? 0));
  const line = [colors.bold(parent.name), ...factsOf(parent).map((fact) => colors.dim(fact))].join('  ');
  return { line, below: parent.types.map((type) => typeBranch(type, width, pretty)) };
}

function typeBranch(type: MdevTreeType, width: number, pretty: number): Branch {
  const free = freeOf(type);
  const words = [
    colors.cyan(type.name.padEnd(width)),
    ...(pretty > 0 ? [(type.prettyName ?? '').padEnd(pretty)] : []),
    type.free === 0 ? colors.red(free) : colors.green(free),
    ...(type.deviceApi ? [colors.dim(type.deviceApi)] : []),
  ];
  return { line: words.join('  '), below: type.devices.map(deviceBranch) };
}

function deviceBranch({ uuid, driver, iommuGroup, holders }: MdevTreeDevice): Branch {
  const facts = [
    driver ? `driver ${driver}` : 'no driver',
    ...(iommuGroup === null ? [] : [`group ${iommuGroup}`]),
  ];
  const held = holders ? [colors.yellow(`held: ${holders}`)] : [];
  return { line: [uuid, ...facts.map((fact) => colors.dim(fact)), ...held].join('  '), below: [] };
}

function draw({ line, below }: Branch, indent = ''): string {
  const lines = below.map((branch, i) => {
    const isLast = i === below.length - 1;
    return `${indent}${isLast ? '└─ ' : '├─ '}${draw(branch, `${indent}${isLast ? '   ' : '│  '}`)}`;
  });
  return `${line}\n${lines.join('')}`;
}
