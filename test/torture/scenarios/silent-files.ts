/**
 * Clients hand over a file of a FUSE of their own that stops to answer: GETATTR, which tells what it is, FLUSH and RELEASE,
 * which close a copy of it. Right: that client waits or gets an errno, nobody else waits, and it ends when it is killed.
 * @module
 */

import { beside } from '../beside.js';
import { makeDevice, removeDevice, VGPU } from '../devices.js';
import { groupNode } from '../groups.js';
import { ownFuse } from '../own-fuse.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'a file that does not answer keeps nobody waiting but the client whose it is',
  async run(context, figures) {
    const program = await context.programs.path('silent-file');
    let place: RunPlace | undefined;
    for (const request of ['feature', 'bind', 'container', 'eventfd'])
      for (const silent of ['getattr', 'flush', 'release']) {
        place ??= await RunPlace.make(context);
        const node = await makeDevice(place, VGPU, 1);
        const words = [place.dev, node, await groupNode(place, 1), request, silent, ...ownFuse(context)];
        const culprit = await place.start([program, ...words]);
        const what = `${request} of a file without ${silent.toUpperCase()}`;
        const served = await beside(context, place, figures, { culprit, what });
        // One that is stuck says nothing of the next.
        if (served) await removeDevice(place, 1);
        else {
          await place.end();
          place = undefined;
        }
      }
  },
};

export default scenario;
