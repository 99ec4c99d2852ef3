/**
 * Clients hand over memory whose pages nobody brings: those of a userfaultfd, of the daemon's own mount, of a FUSE of the
 * client's own that does not answer. They do so as the argument of an ioctl and for DMA. Right: that client waits or gets
 * an errno, nobody else waits, and it ends when it is killed.
 * @module
 */

import { besideTwice, warmUp } from '../beside.js';
import type { Client } from '../client.js';
import { makeDevice, VGPU } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import { ownFuse } from '../own-fuse.js';
import type { Scenario } from '../scenario.js';

const scenario: Scenario = {
  name: 'memory that does not come keeps nobody waiting but the client whose it is',
  async run(context, figures) {
    const program = await context.programs.path('absent-page');
    for (const use of ['argument', 'dma'])
      for (const kind of ['userfaultfd', 'mount', 'fuse']) {
        // Each has a daemon of its own, since one that is stuck says nothing of the next.
        const place = await MountPlace.make(context, { dev: true });
        const node = await makeDevice(place, VGPU, 1);
        const attribute = `${place.sys}/class/mdev_bus/mtty/uevent`;
        const words = [place.dev, node, use, kind, attribute];
        const start = (): Promise<Client> => place.start([program, ...words, ...ownFuse(context)]);
        await warmUp(context, place, node);
        await besideTwice(context, place, figures, { start, what: `${use} in a page of ${kind}` });
        await place.end();
      }
  },
};

export default scenario;
