/**
 * Compares a tree with a recorded snapshot, node by node: type, mode, owner, size, links, blocks, target,
 * entries in directory order, content or the errno of opening or reading it, and the absence of what was
 * absent.
 * @module
 */

import { show } from './compare.js';
import { isBytesForm, sameBytes } from './data.js';
import { errnoOf, nameOfErrno } from './errno-names.js';
import { type NodeExclusion, nodeExclusion } from './exceptions.js';
import { O_RDONLY } from './flags.js';
import { namesIn, readAll } from './ops/operation.js';
import type { Snapshot, SnapshotNode } from './recording.js';
import { recordedStat } from './stat.js';
import type { System } from './steps.js';
import type { Sys } from './sys.js';

export interface NodeResult {
  path: string;
  verdict: 'match' | 'mismatch' | 'excluded';
  /** One line for each field that differs. */
  differences: string[];
  /** Why the node, or its content, was left out. */
  reason?: string;
}

const statFields = ['type', 'mode', 'uid', 'gid', 'size', 'nlink', 'blksize', 'blocks', 'rdev'] as const;

export function compareSnapshot({ sys, over }: System, snapshot: Snapshot): NodeResult[] {
  return Object.entries(snapshot.nodes).map(([path, node]) => {
    const exclusion = nodeExclusion(over, path, node);
    if (exclusion?.leavesOut === 'node') {
      return { path, verdict: 'excluded', differences: [], reason: exclusion.reason };
    }
    const differences = compareNode(sys, path, node, exclusion?.leavesOut);
    const verdict = differences.length === 0 ? 'match' : 'mismatch';
    return { path, verdict, differences, ...(exclusion && { reason: exclusion.reason }) };
  });
}

type LeftOut = NodeExclusion['leavesOut'] | undefined;

function compareNode(sys: Sys, path: string, node: SnapshotNode, leftOut: LeftOut): string[] {
  const found = attempt(() => recordedStat(sys.lstat(path)));
  if (node.errno !== undefined || 'errno' in found) {
    const got = 'errno' in found ? found.errno : `a ${String(found.value.type)}`;
    return got === node.errno ? [] : [`expected ${node.errno ?? `a ${node.type}`}; got ${got}`];
  }
  const differences = statFields
    .filter((field) => field in node && node[field] !== found.value[field])
    .map((field) => `${field}: expected ${show(node[field])}; got ${show(found.value[field])}`);
  const differ = (field: string, expected: unknown, got: unknown): void => {
    differences.push(`${field}: expected ${show(expected)}; got ${show(got)}`);
  };

  if (node.target !== undefined) {
    const target = attempt(() => sys.readlink(path));
    if (resultOf(target) !== node.target) differ('target', node.target, resultOf(target) ?? target);
  }
  if (node.entries) {
    const entries = attempt(() => namesIn(sys, path));
    const order = (names: readonly string[] | undefined): string =>
      show(leftOut === 'order' ? [...(names ?? [])].sort() : names, Infinity);
    if (order(resultOf(entries)) !== order(node.entries)) {
      differences.push(`entries: ${compareEntries(node.entries, entries)}`);
    }
  }
  if (leftOut !== 'content' && found.value.type === 'file') compareContent(sys, path, node, differ);
  return differences;
}

function compareContent(
  sys: Sys,
  path: string,
  node: SnapshotNode,
  differ: (field: string, expected: unknown, got: unknown) => void,
): void {
  if (node.open_errno === undefined && node.read_errno === undefined && node.content === undefined) return;
  const opened = attempt(() => sys.open(path, O_RDONLY));
  if ('errno' in opened) {
    if (opened.errno !== node.open_errno) differ('open', node.open_errno ?? 'success', opened.errno);
    return;
  }
  const content = attempt(() => readAll(sys, opened.value));
  sys.close(opened.value);
  if (node.open_errno !== undefined) differ('open', node.open_errno, 'success');
  else if ('errno' in content) {
    if (content.errno !== node.read_errno) differ('read', node.read_errno ?? node.content, content.errno);
  } else if (node.read_errno !== undefined) differ('read', node.read_errno, content.value);
  else if (isBytesForm(node.content) && !sameBytes(node.content, content.value)) {
    differ('content', node.content, content.value);
  }
}

/** Says which entries are missing or too many, or that only their order differs. */
function compareEntries(expected: readonly string[], entries: Attempt<string[]>): string {
  if ('errno' in entries) return `got ${entries.errno}`;
  const got = entries.value;
  const missing = expected.filter((name) => !got.includes(name));
  const extra = got.filter((name) => !expected.includes(name));
  if (missing.length + extra.length === 0) return `order: expected ${show(expected)}; got ${show(got)}`;
  return `missing ${show(missing)}; too many ${show(extra)}`;
}

type Attempt<T> = { value: T } | { errno: string };

const resultOf = <T>(result: Attempt<T>): T | undefined => ('value' in result ? result.value : undefined);

function attempt<T>(call: () => T): Attempt<T> {
  try {
    return { value: call() };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { errno: nameOfErrno(errno) };
  }
}
