/**
 * Stand-ins for the nodes of VFIO devices below /dev/vfio/devices. Whoever opens one looks whether it is a character
 * device with the number that sysfs tells, and a file of FUSE cannot be one. So a node like /dev/null is mounted on each,
 * and sysfs tells its number. An open one is replaced by the device at the first request that means a VFIO device.
 *
 * Differs from a kernel: until then the device is not in use, and what is done with the descriptor other than requests is
 * done with /dev/null.
 * @module
 */

import { readlinkSync, statSync } from 'node:fs';
import type { Device } from '../base/device.js';
import { DeviceNode } from '../base/devtmpfs.js';
import { isDir, type KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { DeviceFile, DeviceFiles } from './device-files.js';
import type { HeldProcess } from './held-process.js';
import type { SpareFiles } from './spare-files.js';

/** Of /dev/null, and as stat(2) reports it. */
const NULL = { major: 1, minor: 3 };
const NULL_RDEV = 0x103;
const O_RDWR = 2;
/** As VFIO names the nodes, wherever /dev is mounted. */
const NODE = /\/vfio\/devices\/(vfio\d+)$/;

export class Placeholders {
  /** @param announce has a placeholder mounted on a node, by its path below /dev */
  constructor(
    readonly files: DeviceFiles,
    readonly spares: SpareFiles,
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
   * @returns the device's file; undefined when the descriptor is of something else, or the device is gone
   * @throws KernelError with what opening the device fails with
   */
  async replace(process: HeldProcess, fd: number): Promise<DeviceFile | undefined> {
    const name = this.#nameOf(process, fd);
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
    return this.files.ofDescriptor(process, fd);
  }

  #nameOf(process: HeldProcess, fd: number): string | undefined {
    const link = `/proc/${process.thread}/fd/${fd}`;
    try {
      const name = NODE.exec(readlinkSync(link))?.[1];
      // Whatever has that name and is not this mount's file, so that looking at it asks somebody else.
      return name !== undefined && statSync(link).rdev === NULL_RDEV ? name : undefined;
    } catch {
      return undefined;
    }
  }
}

const isVfioDev = (device: Device): boolean => device.class?.name === 'vfio-dev';
