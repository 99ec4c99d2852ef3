/**
 * The daemon of a mount is killed while clients make, remove, list and look up. Right: each client's call ends, with an
 * errno that says that there is no daemon; also of one that waits for a lock that another holds who waits for the daemon.
 * @module
 */

import { killDaemons } from '../killed.js';
import { MountPlace } from '../mount-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'when the daemon of a mount is killed, the calls of all its clients end',
  async run(context, figures) {
    const times = context.brief ? 3 : 1000;
    await killDaemons(context, figures, { times, held: false, make: () => MountPlace.make(context) });
  },
};

export default scenario;
