/**
 * Numbers of processes as another process has them, which may be in a PID namespace below that of this program
 * (pid_namespaces(7)).
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * The number that this program has for a process.
 * @param user whose number it is, by this program's number
 * @returns undefined when there is no such process in its namespace
 * @throws Error of open(2) when `user` is gone
 */
export function pidOf(user: number, number: number): number | undefined {
  const depth = numbersOf(user).length - 1;
  if (depth === 0) return number;
  const namespace = readlinkSync(`/proc/${user}/ns/pid`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        return numbersOf(pid)[depth] === number && readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
      } catch {
        return false;
      }
    });
}

/** The numbers of a process in each namespace, from this program's to its own. */
function numbersOf(pid: number): number[] {
  const numbers = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
  return numbers.split(/\s+/).map(Number);
}
