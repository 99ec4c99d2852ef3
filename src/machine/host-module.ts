/**
 * Modules that are part of the kernel (kernel/params.c `locate_module_kobject`): a directory without most of what a
 * loaded module's has, to which its drivers link.
 * @module
 */

import type { DriverCore } from '../base/core.js';
import { Module } from '../base/module.js';
import { ModuleParameters } from '../base/param.js';
import { ueventWriteOnly } from '../base/uevent.js';
import { KernfsDir } from '../kernfs/dir.js';
import { AttributeGroup } from '../sysfs/group.js';

const builtinGroup = new AttributeGroup<BuiltinModule>({ attributes: [ueventWriteOnly] });

export class BuiltinModule extends Module {
  private constructor(core: DriverCore, name: string) {
    const definition = { name, init: () => undefined };
    super(core, definition, {}, new ModuleParameters([]), new Map());
    this.state = 'live';
  }

  override addToSysfs(): void {
    this.kobjectAdd(this.core.module).addTemplate(builtinGroup);
  }

  /** The module of that name, made if it is not there. */
  static named(core: DriverCore, name: string): BuiltinModule {
    const dir = core.module.find(name);
    if (dir instanceof KernfsDir && dir.owner instanceof BuiltinModule) return dir.owner;
    const module = new BuiltinModule(core, name);
    module.addToSysfs();
    return module;
  }
}
