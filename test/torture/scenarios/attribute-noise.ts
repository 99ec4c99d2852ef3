/**
 * Random texts are written to every file that can be written, of machines of each kind. Right: an errno of a kernel, an
 * empty log, and a daemon that serves others afterwards.
 * @module
 */

import { MountPlace } from '../mount-place.js';
import { checkLog, ledger } from '../place.js';
import type { Scenario } from '../scenario.js';

const FIXTURES = { brief: ['clients'], long: ['clients', 'mixed', 's390x', 'nvidia-a100-sriov'] };
const WRITES = { brief: 3000, long: 20_000 };
const PATIENCE_MS = 200_000;

const scenario: Scenario = {
  name: 'random texts in attributes get errnos, and nothing into the log',
  limit: 900_000,
  async run(context, figures) {
    const { brief, programs, seed } = context;
    const program = await programs.path('attribute-noise');
    for (const fixture of brief ? FIXTURES.brief : FIXTURES.long) {
      const place = await MountPlace.make(context, { fixture });
      const settle = ledger(place, figures);
      const words = [place.sys, brief ? WRITES.brief : WRITES.long, seed].map(String);
      const client = await place.start([program, ...words], { as: `noise on ${fixture}` });
      context.scope.defer(() => client.kill());
      const ended = await client.count(figures, PATIENCE_MS);
      figures.notes.push(`${fixture}: ${client.said.join()}`);
      if (ended) await settle();
      checkLog(place, figures);
      await place.end();
    }
  },
};

export default scenario;
