/**
 * The daemon of `mdevfs run` is killed while clients inside make, remove, list, look up, and use a device, with calls that
 * seccomp holds. Right: each client's call ends, and so does the run.
 * @module
 */

import { killDaemons } from '../killed.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'when the daemon of a run is killed, the calls of all inside end',
  async run(context, figures) {
    const times = context.brief ? 2 : 1000;
    await killDaemons(context, figures, { times, held: true, make: () => RunPlace.make(context) });
  },
};

export default scenario;
