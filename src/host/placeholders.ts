/**
 * Stand-ins for the nodes of VFIO devices below /dev/vfio/devices. Whoever opens one looks whether it is a character
 * device with the number that sysfs tells, and a file of FUSE cannot be one. So a node like /dev/null is mounted on each,
 * and sysfs tells its number. An open one is replaced by the device at the first request that means a VFIO device.
 *
 * Differs from a kernel: until then the device is not in use, and what is done with the descriptor other than requests is
 * done with /dev/null.
 * @module
 */

import { join } from 'node:path';
import type { Device } from '../base/device.js';
import { DeviceNode } from '../base/devtmpfs.js';
import { isDir, type KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { DeviceFile, DeviceFiles } from './device-files.js';
import type { HeldProcess } from './held-process.js';
import type { SpareFiles } from './spare-files.js';
import type { Described } from './stub/descriptors.js';

/** Of /dev/null, and as stat(2) reports it. */
const NULL = { major: 1, minor: 3 };
const NULL_RDEV = 0x103n;
const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const O_RDWR = 2;
/** As VFIO names the nodes, wherever /dev is mounted. */
const NODE = /\/vfio\/devices\/(vfio\d+)$/;

export class Placeholders {
  /**
   * @param nodes the directory of the nodes that are mounted, by the name of the device; where they cannot be made,
   *   /dev/null itself is
   * @param announce has a placeholder mounted on a node, by its path below /dev
   */
  constructor(
    readonly files: DeviceFiles,
    readonly spares: SpareFiles,
    readonly nodes: string,
    readonly announce: (path: string) => void,
  ) {
    const { core } = files.machine;
    const own = core.shownDevt;
    core.shownDevt = (device) => (isVfioDev(device) ? NULL : own(device));
    core.devtmpfs.root.root.observers.add({
      added: (dir, name) => {
        if (dir === this.#dir) this.announce(`vfio/devices/${name}`);
      },
    });
  }

  /** Whether a node has a placeholder. */
  stands(node: KernfsNode): boolean {
    return node.parent !== undefined && node.parent === this.#dir;
  }

  /** /dev/vfio/devices, while it is there. */
  get #dir(): KernfsDir | undefined {
    const vfio = this.files.machine.core.devtmpfs.root.find('vfio');
    const devices = vfio && isDir(vfio) ? vfio.find('devices') : undefined;
    return devices && isDir(devices) ? devices : undefined;
  }

  /**
   * Replaces a descriptor of a placeholder by one of the device.
   * @param described what the descriptor stands for
   * @returns the device's file; undefined when the descriptor is of something else, or the device is gone
   * @throws KernelError with what opening the device fails with
   */
  async replace(
    process: HeldProcess,
    fd: number,
    described: Described<DeviceFile>,
  ): Promise<DeviceFile | undefined> {
    const name = await this.#nameOf(process, fd, described);
    const node = name && this.#dir?.find(name);
    if (!(node instanceof DeviceNode)) return undefined;
    const file = this.files.calls.open(node, O_RDWR);
    try {
      const spare = await this.spares.open(this.files.backingOfFile(file.device));
      process.spares.push(spare);
      process.replace(fd, file.device!);
    } finally {
      file.device!.put();
    }
    return (await process.describe(fd)).file;
  }

  /**
   * The device that an open file stands in for. The path tells which one may be meant; whether it is, the node does, since
   * anybody may have a /dev/null at a path of that kind. Where nodes cannot be made it is /dev/null, which everybody may
   * open; then the device is for the user that it belongs to.
   */
  async #nameOf(
    process: HeldProcess,
    fd: number,
    { link }: Described<DeviceFile>,
  ): Promise<string | undefined> {
    const name = NODE.exec(link)?.[1];
    if (name === undefined) return undefined;
    const { descriptors } = this.files;
    const { client, thread } = process;
    const stat = await descriptors.statOfDescriptor(client, thread, fd);
    if (stat?.rdev !== NULL_RDEV || (stat.mode & S_IFMT) !== S_IFCHR) return undefined;
    const made = await descriptors.statOf(client, thread, join(this.nodes, name));
    if (made && (made.mode & S_IFMT) === S_IFCHR)
      return made.dev === stat.dev && made.ino === stat.ino ? name : undefined;
    return client.uid === geteuid() ? name : undefined;
  }
}

/** This program's user, to whom the devices of the run belong. */
const geteuid = (): number => globalThis.process.geteuid!();

const isVfioDev = (device: Device): boolean => device.class?.name === 'vfio-dev';
