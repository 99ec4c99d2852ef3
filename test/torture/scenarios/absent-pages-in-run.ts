/**
 * Inside `mdevfs run` a client asks its group for a descriptor of a device, which seccomp holds until the daemon has read
 * the name of the device; the name lies in a page that nobody brings. Right: that client waits or gets an errno, nobody
 * else waits, and it ends when it is killed.
 * @module
 */

import { besideTwice } from '../beside.js';
import type { Client } from '../client.js';
import { makeDevice, VGPU } from '../devices.js';
import { groupNode } from '../groups.js';
import { ownFuse } from '../own-fuse.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'a name that does not come, in a request that is held, keeps nobody waiting but its client',
  async run(context, figures) {
    const program = await context.programs.path('absent-page');
    for (const kind of ['userfaultfd', 'mount', 'fuse']) {
      const place = await RunPlace.make(context);
      await makeDevice(place, VGPU, 1);
      const attribute = `${place.sys}/class/mdev_bus/mtty/uevent`;
      const words = [place.dev, await groupNode(place, 1), 'held', kind, attribute];
      const start = (): Promise<Client> => place.start([program, ...words, ...ownFuse(context)]);
      await besideTwice(context, place, figures, { start, what: `a name in a page of ${kind}` });
      await place.end();
    }
  },
};

export default scenario;
