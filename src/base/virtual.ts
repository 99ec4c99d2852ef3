/**
 * `/sys/devices/virtual`: where devices of a class stand that have no parent. It appears with the first of them.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import type { Roster } from '../lib/roster.js';
import { childrenTemplate, type GlueDir, type Nest } from './children.js';

export class VirtualDevices implements Nest {
  readonly path = '/devices/virtual';
  private children_: Roster<GlueDir> = undefined;
  made: KernfsDir | undefined = undefined;

  constructor(readonly devices: KernfsDir) {}

  get children(): Roster<GlueDir> {
    return this.children_;
  }

  set children(children: Roster<GlueDir>) {
    this.children_ = children;
    if (children) this.dir;
  }

  get dir(): KernfsDir {
    if (!this.made) {
      this.made = this.devices.add(new KernfsDir(this.devices.root, 'virtual', this));
      this.made.addTemplate(childrenTemplate);
    }
    return this.made;
  }
}
