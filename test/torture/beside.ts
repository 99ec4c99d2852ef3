/**
 * A client that does what no client should, and another one beside it. What is asked is an order, not a time: that the
 * other's calls end while the first is still there, and that the first ends when it is killed.
 * @module
 */

import { pause } from '../bench/child.js';
import type { Client } from './client.js';
import { startProgram } from './mount-place.js';
import { ledger, type Place } from './place.js';
import type { Context, Figures } from './scenario.js';

/** From the moment that a client says that it asks, until the daemon has surely been asked. */
const ASKED_MS = 150;
/** So long may a client take to end, or a neighbour longer than its rounds. */
const END_MS = 8_000;
const ROUNDS = { brief: 20, long: 1000 };
/** A second one looks whether all is well when the culprit is gone. */
const ROUNDS_AFTER = 3;

let neighbours = 0;

/**
 * Has a neighbour do its rounds.
 * @param when for findings
 * @returns whether it was served to the end
 */
export async function serveNeighbour(
  { programs, scope }: Context,
  place: Place & { folder: string },
  figures: Figures,
  rounds: number,
  when: string,
): Promise<boolean> {
  const words = [place.tree, String(rounds), String(neighbours++)];
  const neighbour = await startProgram(place.folder, [await programs.path('neighbour'), ...words], {
    as: `a neighbour ${when}`,
  });
  scope.defer(() => neighbour.kill());
  return neighbour.count(figures, END_MS + rounds * 20);
}

/**
 * Serves a neighbour beside a culprit, kills the culprit, and serves another one.
 * @param culprit says `asks` before the call in question, `returned` after it, and never ends by itself
 * @param what it does, for findings
 * @param returns whether the call has to return; otherwise it may wait
 * @returns whether the neighbours were served
 */
export async function beside(
  context: Context,
  place: Place & { folder: string },
  figures: Figures,
  { culprit, what, returns = false }: { culprit: Client; what: string; returns?: boolean },
): Promise<boolean> {
  context.scope.defer(() => culprit.kill());
  await culprit.says('asks');
  await pause(ASKED_MS);
  const rounds = context.brief ? ROUNDS.brief : ROUNDS.long;
  const served = await serveNeighbour(context, place, figures, rounds, `beside ${what}`);
  if (!culprit.alive) figures.wrong.push(`${what}: it ended: ${culprit.output.trim()}`);
  const returned = culprit.said.find((line) => line.startsWith('returned'));
  if (returns && !returned) {
    figures.hung++;
    figures.wrong.push(`${what}: its call does not return`);
  }
  figures.wrong.push(...culprit.lines('wrong'));
  const note = `${what}: ${returned ?? 'waits'}`;
  if (!figures.notes.includes(note)) figures.notes.push(note);
  culprit.kill();
  figures.kills++;
  if ((await culprit.ended(END_MS)) === undefined) {
    figures.hung++;
    figures.wrong.push(`${what}: it does not end when it is killed`);
  }
  // A daemon that is stuck has been found out by then.
  return served && serveNeighbour(context, place, figures, ROUNDS_AFTER, `after ${what}`);
}

/**
 * The same twice: what the daemon keeps for the next time is no leak, and what it keeps each time is.
 * @param start starts a culprit
 * @returns whether the neighbours were served
 */
export async function besideTwice(
  context: Context,
  place: Place & { folder: string },
  figures: Figures,
  { start, what, returns = false }: { start: () => Promise<Client>; what: string; returns?: boolean },
): Promise<boolean> {
  if (!(await beside(context, place, figures, { culprit: await start(), what, returns }))) return false;
  const settle = ledger(place, figures);
  const served = await beside(context, place, figures, { culprit: await start(), what, returns });
  if (served) await settle();
  return served;
}

/**
 * Has a device used once, so that what the daemon opens the first time is no leak.
 * @param node of a vGPU
 * @param uuid if its group can give out descriptors of it
 */
export async function warmUp(
  { programs, scope }: Context,
  place: Place,
  node: string,
  uuid?: string,
): Promise<void> {
  const words = [place.dev, node, 'dma', 'present', '-', '-', '-'];
  const first = await place.start([await programs.path('absent-page'), ...words]);
  scope.defer(() => first.kill());
  await first.says('returned ok');
  first.kill();
  await first.ended();
  if (uuid === undefined) return;
  const second = await place.start([
    await programs.path('reopen'),
    place.sys,
    place.dev,
    uuid,
    '1',
    '1',
    '0',
  ]);
  scope.defer(() => second.kill());
  await second.ended();
}
