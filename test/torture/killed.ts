/**
 * The end of a daemon in the middle of what its clients do.
 * @module
 */

import { pause } from '../bench/child.js';
import { random } from '../random.js';
import { type Client, PATIENCE_MS, until } from './client.js';
import { MTTY, makeDevice, uuidOf } from './devices.js';
import type { Place } from './place.js';
import type { Context, Figures } from './scenario.js';

const CLIENTS = 8;
/** How long clients work before the kill. */
const WORK_MS = 400;
/** Beyond that a call hangs. It is long, since only that it ends is asked; how soon is a figure. */
const END_MS = 10_000;

/** Starts clients that go on until the daemon is gone. @param held whether one of them has a device by its group */
export async function busyClients(
  { programs, scope }: Context,
  place: Place,
  held: boolean,
): Promise<Client[]> {
  const churn = await programs.path('churn');
  const clients: Client[] = [];
  for (let n = 0; n < CLIENTS; n++)
    clients.push(await place.start([churn, place.sys, String(n)], { as: `client ${n}` }));
  if (held) {
    await makeDevice(place, MTTY, 1);
    const words = [await programs.path('holder'), place.sys, place.dev, uuidOf(1)];
    clients.push(await place.start(words, { as: 'the holder of a device' }));
  }
  scope.defer(() => {
    for (const client of clients) client.kill();
  });
  for (const client of clients) await client.says('runs');
  return clients;
}

/** Kills the daemon, and waits for the clients to hear of it. */
export async function killDaemon(
  place: Place,
  clients: readonly Client[],
  figures: Figures,
  roll: ReturnType<typeof random>,
): Promise<void> {
  await pause(roll(WORK_MS));
  for (const client of clients.filter(({ alive }) => !alive))
    figures.wrong.push(`${client.name} ended before the daemon did: ${client.output.trim()}`);
  process.kill(place.daemon, 'SIGKILL');
  figures.kills++;
  const left = () => clients.filter(({ alive }) => alive);
  const waited = await until(() => left().length === 0, END_MS);
  figures.worst = Math.max(figures.worst, waited ?? END_MS);
  if (waited === undefined) {
    figures.hung += left().length;
    const names = left().map(({ name }) => name);
    figures.wrong.push(`${END_MS / 1000} s after the daemon was killed: ${names.join(', ')} still wait`);
  }
  for (const client of clients.filter(({ alive }) => !alive)) await client.count(figures, PATIENCE_MS);
}

/** Kills daemons one after the other. @param make a new daemon @param end takes away what is left of it */
export async function killDaemons(
  context: Context,
  figures: Figures,
  {
    times,
    held,
    make,
  }: { times: number; held: boolean; make: () => Promise<Place & { end(): Promise<void> }> },
): Promise<void> {
  const roll = random(context.seed);
  const late = performance.now() + context.seconds * 1000;
  let done = 0;
  for (; done < times && (context.brief || performance.now() < late); done++) {
    const place = await make();
    const clients = await busyClients(context, place, held);
    await killDaemon(place, clients, figures, roll);
    await place.end();
    // One is enough to know it, and the waiting takes long.
    if (context.brief && figures.hung > 0) break;
  }
  figures.notes.push(
    `${done} daemons; at worst the last client was free ${Math.round(figures.worst)} ms later`,
  );
}
