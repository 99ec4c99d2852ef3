/**
 * A mount that shows a machine's character devices, as /dev does. The kernel remembers nothing of it, so nothing is
 * ever taken back, and no thread is needed for that.
 * @module
 */

import { closeSync, constants, openSync } from 'node:fs';
import { ownPages } from '../base/device-pages.js';
import type { Notifier } from '../fuse/cache.js';
import { uncachedView } from '../fuse/char-ops.js';
import { bestLoop, openDevice } from '../fuse/device.js';
import { Session } from '../fuse/session.js';
import type { Log } from '../fuse/transport.js';
import type { Machine } from '../machine/machine.js';
import { connections } from './aborter.js';
import { DeviceFiles } from './device-files.js';
import { mountFuse, umountAnyway } from './mount.js';
import type { MountEntry } from './mountinfo.js';
import { NativeCalls } from './native.js';
import { RegionFiles } from './region-files.js';
import { deviceOf } from './stub/statx.js';

export interface DeviceMount {
  readonly files: DeviceFiles;
  readonly native: NativeCalls;
  /** Why no memory of a device can be mapped; undefined when it can. */
  readonly noMappings: string | undefined;
  /**
   * Does what was asked so far. The end of a process closes its devices, but nobody waits for that; whoever looks at the
   * tree when a process has ended shall find its devices closed.
   */
  catchUp(): void;
  /** Settles when the devices are no longer served. */
  readonly done: Promise<void>;
  unmount(): Promise<void>;
}

const nothingToTell: Notifier = { post: () => {}, announce: () => {}, idle: true };

/**
 * Serves a mount by its descriptor of /dev/fuse, opened with {@link deviceFuseFlags}.
 * @param mount where it is mounted
 * @param unmounts whether this program is to unmount it
 * @throws Error of one line when the package that makes system calls is not there, or no stub can be made
 */
export async function serveDevices(
  fd: number,
  machine: Machine,
  log: Log,
  mount: MountEntry,
  unmounts = false,
): Promise<DeviceMount> {
  const native = await NativeCalls.load();
  const files = new DeviceFiles(machine, native, log, deviceOfMount(mount));
  const device = openDevice(fd, bestLoop(), async () => {}, native.direct);
  const root = machine.core.devtmpfs.root;
  const session = new Session(root, device, nothingToTell, log, undefined, uncachedView, files);
  // Of a run, somebody outside knows it already.
  const minor = unmounts ? mount.minor : undefined;
  const done = session.serve().finally(() => minor !== undefined && connections.remove(minor));
  await session.greeted;
  if (minor !== undefined) await connections.add(minor, log);
  const noMappings = mapRegions(machine, files, native, fd);
  return {
    files,
    native,
    noMappings,
    catchUp: () => {
      if (files.size > 0) device.catchUp();
      files.vms?.sweep();
    },
    done,
    async unmount() {
      try {
        if (unmounts) await umountAnyway(mount);
      } finally {
        device.close();
        files.stubs.close();
      }
    },
  };
}

/** `st_dev` of a mount's files. */
function deviceOfMount({ device }: MountEntry): bigint {
  const [major, minor] = device.split(':').map(Number);
  return deviceOf(major!, minor!);
}

/** Has processes map memory of devices, where the kernel can do that; otherwise regions are not said to be mappable. */
function mapRegions(
  machine: Machine,
  files: DeviceFiles,
  native: NativeCalls,
  fd: number,
): string | undefined {
  try {
    const regions = new RegionFiles(native, fd);
    machine.core.devicePages = regions;
    files.mapped = regions;
    return undefined;
  } catch (error) {
    machine.core.devicePages = { ...ownPages, mappable: false };
    return (error as Error).message;
  }
}

/** How to open /dev/fuse for the way in which it is waited on. */
function deviceFuseFlags(): number {
  return bestLoop() === 'pipe' ? constants.O_RDWR | constants.O_NONBLOCK : constants.O_RDWR;
}

/**
 * Mounts the devices at a directory.
 * @throws Error with the reason of open(2) or mount(8)
 */
export async function mountDevices(machine: Machine, dir: string, log: Log): Promise<DeviceMount> {
  const fd = openSync('/dev/fuse', deviceFuseFlags());
  let mount: MountEntry;
  try {
    mount = await mountFuse(fd, dir);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return serveDevices(fd, machine, log, mount, true).catch(async (error: Error) => {
    await umountAnyway(mount);
    closeSync(fd);
    throw error;
  });
}
