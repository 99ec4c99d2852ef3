/**
 * A user who may use one device has the daemon hold what can be held, by four processes: address spaces, iommufds,
 * mappings, open files; and root has a file of uevents that nobody reads. Right: the daemon's memory stays within bounds,
 * another client is served meanwhile, and what was held is let go of with the processes. Rules of fault injection are not
 * for that user at all.
 * @module
 */

import { chownSync } from 'node:fs';
import { serveNeighbour } from '../beside.js';
import type { Client } from '../client.js';
import { makeDevice, VGPU } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import { checkLog, ledger, resident } from '../place.js';
import type { Scenario } from '../scenario.js';
import { OTHER } from '../spoof.js';

const WAYS = ['ioases', 'iommufds', 'mappings', 'files', 'uevents', 'rules'];
const PROCESSES = 4;
/** Of each process. */
const MOST = { brief: 3000, long: 300_000 };
const ROUNDS = { brief: 5, long: 100 };
/** What one user may have the daemon hold, and what a garbage collector has not looked at yet. */
const BOUND_KB = 512 * 1024;
/** For as many as wanted; each is at least one call. */
const PATIENCE_MS = { brief: 60_000, long: 400_000 };

const scenario: Scenario = {
  name: 'what a user has the daemon hold is bounded, and goes with its processes',
  limit: 2_400_000,
  async run(context, figures) {
    const { brief, programs, scope } = context;
    const size = brief ? 'brief' : 'long';
    const place = await MountPlace.make(context, { dev: true });
    const node = await makeDevice(place, VGPU, 1);
    for (const name of ['iommu', node]) chownSync(`${place.dev}/${name}`, OTHER, OTHER);
    const program = await programs.path('hoard');
    const settle = ledger(place, figures);
    for (const way of WAYS) {
      const before = resident(place.daemon);
      const user = way === 'uevents' ? {} : { user: OTHER };
      const words = [way, place.sys, place.dev, MOST[size]].map(String);
      const clients: Client[] = [];
      for (let n = 0; n < (way === 'uevents' ? 1 : PROCESSES); n++)
        clients.push(await place.start([program, ...words], { ...user, as: `hoard of ${way}` }));
      scope.defer(() => {
        for (const client of clients) client.kill();
      });
      for (const client of clients) await client.says('holds', PATIENCE_MS[size]);
      const grown = resident(place.daemon) - before;
      const held = clients.map(({ said }) => said.join());
      figures.notes.push(`${way}: ${held.join('; ')}; ${Math.round(grown / 1024)} MB more`);
      if (grown > BOUND_KB) figures.wrong.push(`${way} take ${Math.round(grown / 1024)} MB of the daemon`);
      if (way === 'rules' && held.some((one) => one !== 'holds 0, EACCES'))
        figures.wrong.push(`a user has rules of fault injection: ${held.join('; ')}`);
      const served = await serveNeighbour(context, place, figures, ROUNDS[size], `of a hoard of ${way}`);
      for (const client of clients) {
        figures.operations += Number(/holds (\d+)/.exec(client.output)?.[1] ?? 0);
        client.kill();
        figures.kills++;
      }
      for (const client of clients)
        if ((await client.ended()) === undefined) {
          figures.hung++;
          figures.wrong.push(`a hoard of ${way} does not end`);
        }
      if (!served) return;
    }
    await settle();
    checkLog(place, figures);
  },
};

export default scenario;
