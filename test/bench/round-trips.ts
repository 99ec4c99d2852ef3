/**
 * How many requests an operation costs, from the counter that the daemon keeps. That is the better half of the
 * measurement: it does not depend on the machine.
 * @module
 */

import type { Caller, Timing } from './caller.js';
import type { Served } from './candidate.js';
import { run } from './child.js';
import { asClient } from './cpus.js';

const NOTIFICATION = 'NOTIFY_';

/** Nobody waits for these. */
const UNAWAITED = new Set(['FORGET', 'BATCH_FORGET', 'RELEASE', 'RELEASEDIR']);

/** @param text lines of a name and a number */
export function parseCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(\S+)\s+(\d+)$/.exec(line);
    if (match && !UNAWAITED.has(match[1]!)) counts.set(match[1]!, Number(match[2]));
  }
  return counts;
}

export interface Requests {
  /** Requests for one operation. */
  perOperation: number;
  /** The same by name. */
  requests: Record<string, number>;
  /** What the daemon told the kernel unasked, for one operation. */
  notifications: Record<string, number>;
}

/** @param own what the counting itself costs */
export function perOperation(
  counted: ReadonlyMap<string, number>,
  own: ReadonlyMap<string, number>,
  count: number,
): Requests {
  const requests: Record<string, number> = {};
  const notifications: Record<string, number> = {};
  let sum = 0;
  for (const [name, number] of counted) {
    const each = Math.max(0, number - (own.get(name) ?? 0)) / count;
    if (each === 0) continue;
    if (name.startsWith(NOTIFICATION)) {
      notifications[name.slice(NOTIFICATION.length)] = Number(each.toFixed(3));
      continue;
    }
    requests[name] = Number(each.toFixed(3));
    sum += each;
  }
  return { perOperation: Number(sum.toFixed(3)), requests, notifications };
}

const SCRIPT = 'counter=$1; shift; echo 0 >"$counter" && "$@" && cat "$counter"';

export async function countRequests(
  served: Served,
  caller: Caller,
  words: readonly (string | number)[],
  limitMs: number,
): Promise<Requests> {
  const counter = `${served.root}/${served.counter}`;
  const counted = (argv: string[]): Promise<string> =>
    run(asClient(['sh', '-c', SCRIPT, 'sh', counter, ...argv]), limitMs);
  await counted(['true']);
  const own = parseCounts(await counted(['true']));
  const [timing, ...counts] = (await counted(caller.argv(served.root, words))).split('\n');
  const { done } = JSON.parse(timing!) as Timing;
  return perOperation(parseCounts(counts.join('\n')), own, done);
}
