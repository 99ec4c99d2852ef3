/**
 * A user who may open one device, and nothing else, names files as the iommufd of root: one of a FUSE of its own with the
 * same inode number, one opened by O_PATH, /dev/null where a device would be, one of another machine, and a bind mount of
 * the real one. Right: what is no iommufd of this machine is EBADFD or EBADF, and nobody gets at root's memory.
 * @module
 */

import { chownSync } from 'node:fs';
import { makeDevice, VGPU } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import { noUserNamespaces } from '../../mount/mounted.js';
import { ownFuse } from '../own-fuse.js';
import type { Scenario } from '../scenario.js';
import { attempt, endVictim, OTHER, type Spoof, startVictim } from '../spoof.js';

const NO_IOMMUFD = ['EBADFD', 'EBADF', 'EINVAL'];

const scenario: Scenario = {
  name: 'a file is an iommufd by what it is, not by its number or name',
  lacking: noUserNamespaces,
  async run(context, figures) {
    const place = await MountPlace.make(context, { dev: true });
    const other = await MountPlace.make(context, { dev: true });
    const device = `${place.dev}/${await makeDevice(place, VGPU, 1)}`;
    await makeDevice(place, VGPU, 2);
    for (const file of [device, `${place.dev}/iommu`, `${other.dev}/iommu`]) chownSync(file, OTHER, OTHER);
    const { victim, inodeOf } = await startVictim(context, place);
    const [fuse, dir] = ownFuse(context, OTHER);
    const own = (what: string, inode: string): Spoof => ({
      what: `a file with the number of ${what}`,
      request: 'bind',
      node: device,
      file: `own:${fuse}:${dir}:${inode}`,
      right: NO_IOMMUFD,
    });
    const bind = (what: string, file: string, right = NO_IOMMUFD): Spoof => ({
      what,
      request: 'bind',
      node: device,
      file,
      right,
    });
    await attempt(context, place, figures, [
      own("root's iommufd", inodeOf('iommufd')),
      own('a node', '2'),
      own('nothing', '123456789'),
      bind('a file by O_PATH', `path:${place.dev}/iommu`, ['EBADF']),
      bind('/dev/null at the name of a device', `null:${dir}`),
      bind('the iommufd of another machine', `file:${other.dev}/iommu`),
      bind('a bind mount of its own iommufd', `bound:${place.dev}:${dir}`, ['ok']),
    ]);
    await endVictim(victim, figures);
  },
};

export default scenario;
