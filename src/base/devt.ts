/**
 * Devices by number: the links of /sys/dev/char and the nodes below /dev (drivers/base/core.c
 * `device_create_sys_dev_entry`, devtmpfs).
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { linksTo } from '../kernfs/projection.js';
import { Errno, KernelError } from '../lib/errno.js';
import { NumberedMap } from '../lib/numbered-map.js';
import { type Devt, formatDevt } from './chrdev.js';
import type { Device } from './device.js';
import type { Devtmpfs } from './devtmpfs.js';
import type { CharFile } from './file.js';
import { Part } from './part.js';

export class DeviceNumbers {
  readonly #devices = new NumberedMap<Device>();

  /** @param dir /sys/dev/char */
  constructor(
    readonly dir: KernfsDir,
    readonly devtmpfs: Devtmpfs,
  ) {
    dir.addTemplate(linksTo(this.#devices));
  }

  /**
   * Opens the device of a number (`chrdev_open`).
   * @throws ENXIO when no driver answers for the number; what the driver's open throws
   */
  open(devt: Devt): CharFile {
    const device = this.#devices.get(formatDevt(devt));
    const file = device?.class?.open?.(device);
    if (!file) throw new KernelError(Errno.ENXIO);
    return file;
  }

  /** Gives a device with a number its link and its node; nothing for a device without. */
  add(device: Device): void {
    const { devt, node } = device;
    if (!devt || !node) return;
    device.showPart(Part.Node);
    const name = formatDevt(devt);
    this.#devices.set(name, device);
    this.dir.entryAdded(name);
    this.devtmpfs.createNode(node.name, device);
  }

  remove(device: Device): void {
    const { devt, node } = device;
    if (!devt || !node || !device.shows(Part.Node)) return;
    this.devtmpfs.deleteNode(node.name, device);
    const name = formatDevt(devt);
    this.#devices.delete(name);
    this.dir.entryRemoved(name);
    device.hidePart(Part.Node);
  }
}
