/**
 * A user without rights that names files of its own as somebody else's.
 * @module
 */

import { type Client, PATIENCE_MS } from './client.js';
import type { Place } from './place.js';
import type { Context, Figures } from './scenario.js';

/** Who may use one device, and nothing else of root's. */
export const OTHER = 1000;

export interface Spoof {
  what: string;
  request: 'bind' | 'container' | 'device-fd' | 'feature';
  /** What the request is made on; a name for `device-fd`. */
  node: string;
  /** As spoof.c has it. */
  file: string;
  /** Names of errnos that a kernel has for it. */
  right: readonly string[];
}

export async function startVictim(
  { programs, scope }: Context,
  place: Place,
  ...words: string[]
): Promise<{ victim: Client; inodeOf: (what: string) => string }> {
  const victim = await place.start([await programs.path('victim'), place.dev, ...words], {
    as: "root's process",
  });
  scope.defer(() => victim.kill());
  await victim.says('ready');
  const inodes = new Map(victim.said.map((line) => line.split(' ') as [string, string]));
  return { victim, inodeOf: (what) => inodes.get(what)! };
}

/** Makes each attempt as the other user, in a user and a mount namespace of its own. */
export async function attempt(
  context: Context,
  place: Place,
  figures: Figures,
  spoofs: readonly Spoof[],
): Promise<void> {
  const program = await context.programs.path('spoof');
  for (const { what, request, node, file, right } of spoofs) {
    const client = await place.start([program, request, node, file], { user: OTHER, own: true, as: what });
    context.scope.defer(() => client.kill());
    const ended = await client.count(figures, PATIENCE_MS / 2);
    const said = client.said[0] ?? 'nothing';
    figures.notes.push(`${what}: ${said}`);
    if (ended && !right.includes(said)) figures.wrong.push(`${what}: ${said}, not ${right.join(' or ')}`);
    if (!ended) break;
  }
}

/** Has the victim look at its memory. */
export async function endVictim(victim: Client, figures: Figures): Promise<void> {
  victim.kill('SIGTERM');
  await victim.count(figures, PATIENCE_MS);
}
