/**
 * `/sys/kernel/debug/vfio` (drivers/vfio/debugfs.c): a directory for each device, with the state of its migration
 * where it can migrate.
 * @module
 */

import { DebugfsDir, debugfsCreateFile } from '../base/debugfs.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { Projection } from '../kernfs/projection.js';
import { migrationStateName } from '../uapi/vfio-feature.js';
import type { VfioDevice } from './device.js';

export class VfioDebugfs {
  readonly #devices = new Map<string, VfioDevice>();
  readonly #dir: KernfsDir;

  constructor(debugfs: KernfsDir) {
    this.#dir = debugfs.addDir('vfio');
    this.#dir.addTemplate(
      new Projection(this.#devices, (root, name, vdev) => deviceDir(new DebugfsDir(root, name), vdev), true),
    );
  }

  add(name: string, vdev: VfioDevice): void {
    this.#devices.set(name, vdev);
    this.#dir.entryAdded(name);
  }

  remove(name: string): void {
    this.#devices.delete(name);
    this.#dir.entryRemoved(name);
  }

  /** Takes the whole directory away. */
  removeAll(): void {
    this.#dir.parent?.removeChild(this.#dir.name);
  }
}

function deviceDir(dir: DebugfsDir, vdev: VfioDevice): DebugfsDir {
  const { migration } = vdev.ops;
  if (migration) {
    debugfsCreateFile(dir.addDir('migration'), 'state', {
      mode: 0o444,
      show: () => `${migrationStateName(migration.getState(vdev))}\n`,
    });
  }
  return dir;
}
