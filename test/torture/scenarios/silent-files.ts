/**
 * Clients hand over a file of a FUSE of their own that stops to answer: GETATTR, which tells what it is, FLUSH and RELEASE,
 * which close a copy of it. Right: that client waits or gets an errno, nobody else waits, and it ends when it is killed.
 * @module
 */

import { besideTwice } from '../beside.js';
import type { Client } from '../client.js';
import { makeDevice, removeDevice, VGPU } from '../devices.js';
import { groupNode } from '../groups.js';
import { ownFuse } from '../own-fuse.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'a file that does not answer keeps nobody waiting but the client whose it is',
  limit: 900_000,
  async run(context, figures) {
    const program = await context.programs.path('silent-file');
    let place: RunPlace | undefined;
    for (const request of ['feature', 'bind', 'container', 'eventfd'])
      for (const silent of ['getattr', 'flush', 'release']) {
        const inside = place ?? (await RunPlace.make(context));
        const node = await makeDevice(inside, VGPU, 1);
        const words = [inside.dev, node, await groupNode(inside, 1), request, silent];
        const start = (): Promise<Client> => inside.start([program, ...words, ...ownFuse(context)]);
        const what = `${request} of a file without ${silent.toUpperCase()}`;
        const served = await besideTwice(context, inside, figures, { start, what });
        if (served) await removeDevice(inside, 1);
        // A daemon that is stuck says nothing of the next.
        else await inside.end();
        place = served ? inside : undefined;
      }
  },
};

export default scenario;
