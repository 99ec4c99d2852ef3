/**
 * A tree with a daemon behind it, and programs that use it: a mount for everybody, or the inside of `mdevfs run`.
 * @module
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
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

/** Open descriptors of a process, and what each is. */
export function descriptors(pid: number): Map<string, string> {
  const dir = `/proc/${pid}/fd`;
  const found = new Map<string, string>();
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    try {
      found.set(name, readlinkSync(`${dir}/${name}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return found;
}

/** So long may a daemon take to let go of what has ended. */
const SETTLE_MS = 10_000;

/** Memory of so many processes that have ended may be held: until the garbage collector comes by. */
const LAST_PROCESSES = 8;
/** Of stubs that are kept for the next call: two pipes each, and the daemon may have begun with one stub or none. */
const PIPES_OF_STUBS = 4;

/** Notes what the daemon has now; what the result is called for at the end counts as leaked what is more by then. */
export function ledger({ daemon }: Place, figures: Figures): () => Promise<void> {
  const before = descriptors(daemon);
  figures.rss[0] ||= resident(daemon);
  const excess = (): { count: number; more: string[] } => {
    const now = descriptors(daemon);
    const more = [...now].filter(([name]) => !before.has(name)).map(([, target]) => target);
    const some = (pattern: RegExp, most: number): number =>
      Math.min(more.filter((target) => pattern.test(target)).length, most);
    const kept = some(/^\/proc\/\d+\/mem$/, LAST_PROCESSES) + some(/^pipe:/, PIPES_OF_STUBS);
    return { count: now.size - before.size - kept, more };
  };
  return async () => {
    await until(() => excess().count <= 0, SETTLE_MS);
    const { count, more } = excess();
    if (count > 0) {
      figures.leaked += count;
      figures.wrong.push(
        `the daemon holds ${count} descriptors more, such as ${more.slice(0, 3).join(', ')}`,
      );
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
