/**
 * Which processor does what. On one processor a round trip to a server costs a change of context, so the time is that
 * of the code. On two, which are idle in between, it costs waking a processor up, so the time is that of the number of
 * round trips. A benchmark that leaves it to the scheduler measures a mixture of both.
 * @module
 */

import { readFileSync } from 'node:fs';
import { run } from './child.js';

/** Where the server runs as seen from the client. */
export type Placement = 'one' | 'two';

/** Processors that this process may use, in order. @param list as in /proc/self/status, such as `0-3,8` */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first, last = first] = part.split('-').map(Number);
      return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
    });
}

const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
const [clientCpu = 0, otherCpu] = parseCpuList(allowed);

export const placements: readonly Placement[] = otherCpu === undefined ? ['one'] : ['one', 'two'];

const serverCpu = (placement: Placement): number => (placement === 'one' ? clientCpu : otherCpu!);

/** The command line of a client. */
export function asClient(argv: readonly string[]): string[] {
  return ['taskset', '-c', String(clientCpu), ...argv];
}

/** The command line of a server, which runs on the client's processor until it is moved. */
export const asServer = asClient;

/** Moves a server with all its threads. */
export async function place(pid: number, placement: Placement): Promise<void> {
  await run(['taskset', '-acp', String(serverCpu(placement)), String(pid)], 10_000);
}
