/**
 * Devices of the model that appear where /sys is a skeleton in memory (compose.ts): a new root in `devices`, or a new
 * device right below a root that the machine has too. Only a process inside of the command's mount namespace can mount
 * them there, so one is asked to, and whatever is told of the device afterwards waits for its answer.
 * @module
 */

import type { Announcement } from '../fuse/announcement.js';
import { isDir, type KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { KernfsObserver } from '../kernfs/notify.js';

export interface LivePlaces {
  /** Descriptor that takes a line for each change: `placed PATH` or `gone PATH` below /sys, a {@link DevChange} below /dev. */
  request: number;
  /** Descriptor that a line comes from when it is done. */
  answer: number;
}

/** What is done for a node that appears below /dev: `null` mounts a placeholder on it, `dev` shows it at all. */
export type DevChange = 'null' | 'dev';

/** @param path below /dev */
export function devAnnouncement(
  { request, answer }: LivePlaces,
  change: DevChange,
  path: string,
): Announcement {
  return { fd: request, message: Buffer.from(`${change} ${path}\n`), answer };
}

/** What is shown of a machine's /dev in one that is composed. */
export const shownInDev: readonly string[] = ['vfio', 'iommu'];

/** Observes a machine's /dev, so that what comes there is seen by the command. */
export function liveDev(
  devtmpfs: KernfsDir,
  channel: LivePlaces,
  announce: (announcement: Announcement) => void,
): KernfsObserver {
  return {
    added(dir, name) {
      if (dir === devtmpfs && shownInDev.includes(name)) announce(devAnnouncement(channel, 'dev', name));
    },
  };
}

/**
 * @param skeletons the directories of the model that are in memory, as paths
 * @param announce sends, behind what is outdated and before the write that caused it returns
 * @returns what is to observe the model's tree
 */
export function liveSkeletons(
  sysfs: KernfsDir,
  skeletons: readonly string[],
  { request, answer }: LivePlaces,
  announce: (announcement: Announcement) => void,
): KernfsObserver {
  const paths = new Map<KernfsDir, string>();
  for (const path of skeletons) {
    let at: KernfsNode | undefined = sysfs;
    for (const name of path.split('/').slice(1)) at = at && isDir(at) ? at.find(name) : undefined;
    if (at && isDir(at)) paths.set(at, path);
  }
  const say = (what: 'placed' | 'gone', dir: KernfsDir, name: string): void => {
    const path = paths.get(dir);
    if (path === undefined) return;
    announce({ fd: request, message: Buffer.from(`${what} ${path}/${name}\n`), answer });
  };
  return {
    added: (dir, name) => say('placed', dir, name),
    removed: (dir, name) => say('gone', dir, name),
  };
}
