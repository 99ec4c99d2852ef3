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
  /** Descriptor that takes a line for each change: `placed PATH` or `gone PATH` below /sys, `null PATH` below /dev. */
  request: number;
  /** Descriptor that a line comes from when it is done. */
  answer: number;
}

/** Has a placeholder mounted on a node of /dev. */
export function placeholderAnnouncement({ request, answer }: LivePlaces, path: string): Announcement {
  return { fd: request, message: Buffer.from(`null ${path}\n`), answer };
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
