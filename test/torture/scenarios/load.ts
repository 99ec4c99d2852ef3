/**
 * Eight clients create, remove, unbind, look up, list, read and wait, at the same devices; two of them are killed each
 * second. Right: nobody sees what is not true any more, nobody hangs, and nothing of the killed ones stays.
 * @module
 */

import { MountPlace } from '../mount-place.js';
import { checkLog, ledger } from '../place.js';
import type { Scenario } from '../scenario.js';

const CLIENTS = 8;
const KILLS_PER_SECOND = { brief: 10, long: 2 };

const scenario: Scenario = {
  name: 'under mixed load with kills, nothing is stale, hung or leaked',
  async run(context, figures) {
    const { programs, brief, seconds, seed } = context;
    const place = await MountPlace.make(context);
    const settle = ledger(place, figures);
    const kills = brief ? KILLS_PER_SECOND.brief : KILLS_PER_SECOND.long;
    const words = [place.sys, place.daemon, seconds, CLIENTS, kills, seed].map(String);
    const load = await place.start([await programs.path('load'), ...words]);
    await load.count(figures, (seconds + 60) * 1000);
    figures.notes.push(...load.said);
    await settle();
    checkLog(place, figures);
  },
};

export default scenario;
