/**
 * A client gives its device an eventfd that is full and blocks its writers. Right, as eventfd_signal() of a kernel never
 * waits: the interrupt is lost, the client's calls return, and everybody else is served.
 * @module
 */

import { besideTwice } from '../beside.js';
import type { Client } from '../client.js';
import { MTTY, makeDevice } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'an eventfd that is full keeps nobody waiting',
  async run(context, figures) {
    const place = await MountPlace.make(context, { dev: true });
    const node = await makeDevice(place, MTTY, 1);
    const program = await context.programs.path('full-eventfd');
    const start = (): Promise<Client> => place.start([program, place.dev, node]);
    await besideTwice(context, place, figures, { start, what: 'a full eventfd', returns: true });
  },
};

export default scenario;
