/**
 * What a server does while nobody asks it anything. Nothing, it is hoped: every wake-up is a switch of context, and
 * the kernel counts those.
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import { pause } from './child.js';

/** Until what the last request left to do is done: Node collects garbage some 8 s later, once. */
export const SETTLE_MS = 12_000;

/** @param status as in /proc/PID/task/TID/status */
export function switchesOf(status: string): number {
  let sum = 0;
  for (const match of status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)$/gm))
    sum += Number(match[1]);
  return sum;
}

function switches(pid: number): number {
  let sum = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += switchesOf(readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1'));
    } catch {
      // A thread that ended.
    }
  }
  return sum;
}

/** Switches of context of each server in so many seconds. */
export async function idleSwitches(pids: readonly number[], seconds: number): Promise<number[]> {
  const before = pids.map(switches);
  await pause(seconds * 1000);
  return pids.map((pid, i) => switches(pid) - before[i]!);
}
