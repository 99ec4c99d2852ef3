/**
 * A tree with a daemon behind it, and programs that use it: a mount for everybody, or the inside of `mdevfs run`.
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import { until } from './client.js';
import type { Client } from './client.js';
import type { Figures } from './scenario.js';

export interface Start {
  /** The user; root when not given. */
  user?: number;
  /** Whether it has mounts of its own, and rights there, in a user namespace. */
  own?: boolean;
  /** What to call it in findings. */
  as?: string;
}

export interface Place {
  /** The tree, as programs see it that are started here. */
  readonly sys: string;
  /** Folder of the device files, as they see it. */
  readonly dev: string;
  /** The tree, as everybody sees it. */
  readonly tree: string;
  readonly daemon: number;
  /** What the daemon wrote so far. */
  readonly log: string;
  start(argv: readonly string[], options?: Start): Promise<Client>;
}

/** The command line of a program as another user. */
export function asUser(argv: readonly string[], { user, own }: Start): string[] {
  const words = own ? ['unshare', '-Urm', '--propagation', 'private', ...argv] : [...argv];
  if (user === undefined) return words;
  return ['setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups', ...words];
}

/** Kilobytes that a process has in memory; 0 when it is gone. */
export function resident(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Open descriptors of a process. */
export function descriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Between looks at a daemon that lets go of what has ended. */
const SETTLE_MS = 10_000;

/** Notes what the daemon has now; what the result is called for at the end counts as leaked what is more by then. */
export function ledger({ daemon }: Place, figures: Figures): () => Promise<void> {
  const before = descriptors(daemon);
  figures.rss[0] ||= resident(daemon);
  return async () => {
    await until(() => descriptors(daemon) <= before, SETTLE_MS);
    const leaked = descriptors(daemon) - before;
    if (leaked > 0) {
      figures.leaked += leaked;
      figures.wrong.push(`the daemon holds ${leaked} more descriptors than before`);
    }
    figures.rss[1] = resident(daemon);
  };
}

/** The daemon's log is for faults of the daemon; whatever clients do has an errno. */
export function checkLog({ log }: Place, figures: Figures): void {
  const lines = log.split('\n').filter((line) => line !== '' && !line.startsWith('    at '));
  if (lines.length > 0)
    figures.wrong.push(`the log has ${lines.length} lines, such as: ${lines.slice(0, 3).join('; ')}`);
}
