/**
 * Under `mdevfs run`, where seccomp holds requests that return a descriptor: a user names files of its own as root's
 * container, group or device, by the same inode number or the same name. Right: the errno that a kernel has for a file of
 * another kind, and nobody gets at root's memory.
 * @module
 */

import { makeDevice, uuidOf, VGPU } from '../devices.js';
import { groupNode } from '../groups.js';
import { ownFuse } from '../own-fuse.js';
import { noUserNamespaces } from '../../mount/mounted.js';
import { run } from '../../bench/child.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';
import { attempt, endVictim, OTHER, type Spoof, startVictim } from '../spoof.js';

const LIMIT_MS = 10_000;

const scenario: Scenario = {
  name: 'a file is a container, a group or a device by what it is, not by its number or name',
  lacking: noUserNamespaces,
  async run(context, figures) {
    const place = await RunPlace.make(context);
    for (const number of [1, 2]) await makeDevice(place, VGPU, number);
    const node = `${place.dev}/${await groupNode(place, 2)}`;
    await run(['chown', `${OTHER}:${OTHER}`, `/proc/${place.shell}/root${node}`], LIMIT_MS);
    const { victim, inodeOf } = await startVictim(context, place, place.sys, uuidOf(1));
    const [fuse, dir] = ownFuse(context, OTHER);
    const own = (inode: string): string => `own:${fuse}:${dir}:${inode}`;
    const none = ['ENOTTY', 'EINVAL', 'EBADFD', 'ENOSYS'];
    const spoofs: Spoof[] = ['container', 'iommufd', 'group'].flatMap((kind) => [
      {
        what: `a file with the number of root's ${kind}, as a container`,
        request: 'container',
        node,
        file: own(inodeOf(kind)),
        right: ['EBADFD', 'EBADF', 'EINVAL'],
      },
      {
        what: `a file with the number of root's ${kind}, as a group`,
        request: 'device-fd',
        node: uuidOf(1),
        file: own(inodeOf(kind)),
        right: none,
      },
    ]);
    spoofs.push(
      {
        what: '/dev/null at the name of a device',
        request: 'feature',
        node,
        file: `null:${dir}`,
        right: none,
      },
      { what: 'a file at the name of a device', request: 'feature', node, file: own('4'), right: none },
      {
        what: 'a file by O_PATH',
        request: 'container',
        node,
        file: `path:${place.dev}/vfio/vfio`,
        right: ['EBADF'],
      },
    );
    await attempt(context, place, figures, spoofs);
    await endVictim(victim, figures);
  },
};

export default scenario;
