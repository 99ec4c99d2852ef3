/**
 * A client gives its device an eventfd that is full and blocks its writers. Right, as eventfd_signal() of a kernel never
 * waits: the interrupt is lost, the client's calls return, and everybody else is served.
 * @module
 */

import { beside } from '../beside.js';
import { MTTY, makeDevice } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import { ledger } from '../place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'an eventfd that is full keeps nobody waiting',
  async run(context, figures) {
    const place = await MountPlace.make(context, { dev: true });
    const node = await makeDevice(place, MTTY, 1);
    const settle = ledger(place, figures);
    const culprit = await place.start([await context.programs.path('full-eventfd'), place.dev, node]);
    const served = await beside(context, place, figures, { culprit, what: 'a full eventfd', returns: true });
    if (served) await settle();
  },
};

export default scenario;
