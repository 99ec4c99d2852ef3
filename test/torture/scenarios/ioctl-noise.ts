/**
 * Two clients make random requests on real descriptors. Right: each request ends with an errno of a kernel, nothing is
 * left of them, and the log is empty.
 * @module
 */

import type { Client } from '../client.js';
import { makeDevice, MTTY, removeDevice, uuidOf, VGPU } from '../devices.js';
import { checkLog, ledger } from '../place.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const CALLS = { brief: 8000, long: 125_000 };
const ROUNDS = { brief: 1, long: 4 };
const PATIENCE_MS = 240_000;

const scenario: Scenario = {
  name: 'random requests on device files get errnos, and leave nothing behind',
  limit: 1_200_000,
  async run(context, figures) {
    const place = await RunPlace.make(context);
    const program = await context.programs.path('ioctl-noise');
    const nodes = [await makeDevice(place, MTTY, 1), await makeDevice(place, VGPU, 2)];
    const [calls, rounds] = context.brief ? [CALLS.brief, ROUNDS.brief] : [CALLS.long, ROUNDS.long];
    const noise = async (count: number, round: number): Promise<boolean[]> => {
      const clients: Client[] = [];
      for (const [i, node] of nodes.entries()) {
        const words = [place.sys, place.dev, uuidOf(i + 1), node, count, context.seed * 100 + round * 10 + i];
        clients.push(await place.start([program, ...words.map(String)], { as: `noise on ${node}` }));
      }
      context.scope.defer(() => {
        for (const client of clients) client.kill();
      });
      const ended = await Promise.all(clients.map((client) => client.count(figures, PATIENCE_MS)));
      for (const client of clients) figures.notes.push(...client.said);
      return ended;
    };
    await noise(1000, 0);
    const settle = ledger(place, figures);
    for (let round = 1; round <= rounds; round++) if ((await noise(calls, round)).includes(false)) return;
    await settle();
    for (const number of [1, 2]) await removeDevice(place, number);
    checkLog(place, figures);
  },
};

export default scenario;
