/**
 * Four processes of a user without rights use up what they can of a mount of root's: open directories and files, polls,
 * look-ups of nothing, interrupted calls, large reads, and calls that make no sense. Right: another user is served
 * meanwhile, and the daemon keeps nothing of it.
 * @module
 */

import { serveNeighbour } from '../beside.js';
import { until } from '../client.js';
import { MountPlace } from '../mount-place.js';
import { checkLog, ledger, resident } from '../place.js';
import type { Scenario } from '../scenario.js';
import { OTHER } from '../spoof.js';

const WAYS = ['dirs', 'files', 'poll', 'epoll', 'lookups', 'signals', 'reads', 'calls'];
const PROCESSES = 4;
const ROUNDS = { brief: 10, long: 200 };
/** Of memory that is given back, for what no garbage collector has looked at yet. */
const SLACK_KB = 200 * 1024;
const PATIENCE_MS = 30_000;

const scenario: Scenario = {
  name: 'a user without rights who takes what can be had keeps no other waiting',
  limit: 900_000,
  async run(context, figures) {
    const { brief, programs, seconds } = context;
    const place = await MountPlace.make(context);
    const program = await programs.path('wear');
    const settle = ledger(place, figures);
    const each = brief ? 0.5 : seconds / WAYS.length;
    for (const way of WAYS) {
      const clients = await Promise.all(
        Array.from({ length: PROCESSES }, () =>
          place.start([program, place.sys, way, String(each)], { user: OTHER, as: `wear by ${way}` }),
        ),
      );
      context.scope.defer(() => {
        for (const client of clients) client.kill();
      });
      for (const client of clients) await client.says('runs');
      const served = await serveNeighbour(
        context,
        place,
        figures,
        brief ? ROUNDS.brief : ROUNDS.long,
        `of ${way}`,
      );
      const peak = resident(place.daemon);
      for (const client of clients) await client.count(figures, PATIENCE_MS + each * 1000);
      figures.notes.push(`${way}: ${Math.round(peak / 1024)} MB meanwhile`);
      if (!served) return;
    }
    await settle();
    await until(() => resident(place.daemon) < figures.rss[0] + SLACK_KB, brief ? 0 : 30_000);
    if (figures.rss[1] > figures.rss[0] + SLACK_KB)
      figures.wrong.push('the daemon keeps memory of what is over');
    checkLog(place, figures);
  },
};

export default scenario;
