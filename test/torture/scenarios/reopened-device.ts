/**
 * Descriptors of one device are handed out by its group and closed, again and again, by one thread and by four with
 * signals. Right: the daemon's memory and descriptors are as before, and the device can be removed.
 * @module
 */

import { makeDevice, MTTY, removeDevice, uuidOf } from '../devices.js';
import { checkLog, ledger, resident } from '../place.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

/** Times that it is opened: to warm up, and in each turn. */
const TIMES = { brief: { first: 3000, turn: 2000 }, long: { first: 20_000, turn: 94_500 } };
const TURNS = [
  ['1', '0'],
  ['1', '0'],
  ['1', '0'],
  ['4', '1'],
] as const;
/** Of memory that is flat, for what no garbage collector has looked at yet. */
const SLACK_KB = 40 * 1024;
const PATIENCE_MS = 200_000;

const scenario: Scenario = {
  name: 'a device that is opened and closed without end leaves memory flat',
  limit: 900_000,
  async run(context, figures) {
    const place = await RunPlace.make(context);
    await makeDevice(place, MTTY, 1);
    const program = await context.programs.path('reopen');
    const { first, turn } = context.brief ? TIMES.brief : TIMES.long;
    const open = async (times: number, threads: string, signals: string): Promise<boolean> => {
      const words = [place.sys, place.dev, uuidOf(1), String(times), threads, signals];
      const client = await place.start([program, ...words]);
      context.scope.defer(() => client.kill());
      const ended = await client.count(figures, PATIENCE_MS);
      figures.notes.push(`${client.said.join()}; ${Math.round(resident(place.daemon) / 1024)} MB`);
      return ended;
    };
    await open(first, '1', '0');
    figures.rss[0] = resident(place.daemon);
    const settle = ledger(place, figures);
    for (const [threads, signals] of TURNS) if (!(await open(turn, threads, signals))) return;
    await settle();
    const grown = figures.rss[1] - figures.rss[0];
    if (grown > SLACK_KB)
      figures.wrong.push(`the daemon has ${Math.round(grown / 1024)} MB more than before`);
    await removeDevice(place, 1);
    checkLog(place, figures);
  },
};

export default scenario;
