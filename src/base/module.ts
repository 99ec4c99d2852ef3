/**
 * Kernel modules (kernel/module/): what `/sys/module/NAME` shows, and what a module is to the loader: a name, the
 * modules it needs, parameters, and what it does when it comes and goes.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import type { Sleeps } from '../lib/sleep.js';
import type { BinAttribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { DriverCore } from './core.js';
import type { DeviceDriver } from './driver.js';
import { Kobject } from './kobject.js';
import { type ModuleParameter, type ModuleParameters, parametersGroup } from './param.js';
import type { Architecture, KernelProfile } from './profile.js';
import { ueventWriteOnly } from './uevent.js';

/** The facts of a compiled module. All optional: a module may be known by name only. */
export interface ModuleImage {
  /** Bytes of the loaded module. */
  coresize?: number | undefined;
  srcversion?: string | undefined;
  version?: string | undefined;
  /** Letters of /sys/module/NAME/taint. */
  taint?: string | undefined;
  /** ELF sections: name and the address each was loaded at. */
  sections?: Record<string, string> | undefined;
  /** ELF notes: name and content in hexadecimal. */
  notes?: Record<string, string> | undefined;
}

/** Something that may depend on the kernel's configuration. */
export type Configured<T> = T | ((profile: KernelProfile) => T);

export function configured<T extends object>(value: Configured<T>, profile: KernelProfile): T {
  return typeof value === 'function' ? value(profile) : value;
}

/**
 * What the loader needs to know of a module. `T` is what the module offers to modules that depend on it, in place
 * of exported symbols.
 */
export interface ModuleDefinition<T = unknown> {
  readonly name: string;
  /** Exists for this processor only. */
  readonly arch?: Architecture;
  readonly depends?: Configured<readonly ModuleDefinition[]>;
  readonly parameters?: Configured<readonly ModuleParameter[]>;
  /** Runs the module's init function. */
  init(module: Module): T;
  /** Runs its exit function; may sleep. */
  exit?(exported: T, module: Module): Sleeps<void>;
}

const PAGE_SIZE = 4096;

const moduleGroup = new AttributeGroup<Module>({
  attributes: [
    ueventWriteOnly,
    {
      name: 'coresize',
      mode: 0o444,
      constant: true,
      show: (module) => `${module.image.coresize ?? PAGE_SIZE}\n`,
    },
    { name: 'initsize', mode: 0o444, constant: true, show: () => '0\n' },
    { name: 'initstate', mode: 0o444, show: (module) => `${module.state}\n` },
    { name: 'refcnt', mode: 0o444, show: (module) => `${module.refcount}\n` },
    { name: 'taint', mode: 0o444, show: (module) => `${module.image.taint ?? ''}\n` },
    { name: 'srcversion', mode: 0o444, constant: true, show: (module) => `${module.image.srcversion}\n` },
    { name: 'version', mode: 0o444, constant: true, show: (module) => `${module.image.version}\n` },
  ],
  isVisible: (module, { name }) =>
    (name !== 'srcversion' || module.image.srcversion !== undefined) &&
    (name !== 'version' || module.image.version !== undefined),
});

/** A file of a fixed text whose stat shows the size of that text, as binary attributes do. */
function fixedFile(name: string, mode: number, content: Buffer): BinAttribute<Module> {
  return {
    name,
    mode,
    size: () => content.length,
    read: (_module, offset, length) => content.subarray(offset, offset + length),
  };
}

export class Module extends Kobject {
  readonly name: string;
  state: 'coming' | 'live' | 'going' = 'coming';
  /** Modules that use this one. */
  readonly holders = new Set<Module>();
  /** Names of modules that use this one and are not modelled. */
  readonly otherHolders = new Set<string>();
  /** References that are no module's: open devices, pinned file systems. */
  references = 0;

  constructor(
    readonly core: DriverCore,
    readonly definition: ModuleDefinition,
    readonly image: ModuleImage,
    readonly parameters: ModuleParameters,
    /** The modules it depends on, by name, with what they export. */
    readonly imports: ReadonlyMap<string, unknown>,
  ) {
    super();
    this.name = definition.name;
  }

  get subsystem(): string {
    return 'module';
  }

  get refcount(): number {
    return this.holders.size + this.otherHolders.size + this.references;
  }

  /** What a module that this one depends on exports. */
  import<T>(definition: ModuleDefinition<T>): T {
    if (!this.imports.has(definition.name)) {
      throw new Error(`module ${this.name} uses ${definition.name} without depending on it`);
    }
    return this.imports.get(definition.name) as T;
  }

  addToSysfs(): void {
    const dir = this.kobjectAdd(this.core.module);
    dir.addTemplate(moduleGroup);
    dir.addDir('holders');
    const { sections = {}, notes = {} } = this.image;
    addFiles(dir, 'sections', 0o400, sections, (address) => Buffer.from(`${address}\n`));
    addFiles(dir, 'notes', 0o444, notes, (hex) => Buffer.from(hex, 'hex'));
    const { declared } = this.parameters;
    if (declared.length > 0) dir.addTemplate(parametersGroup(declared));
  }

  addHolder(module: Module): void {
    this.holders.add(module);
    (this.dir.lookup('holders') as KernfsDir).addLink(module.name, module.dir);
  }

  removeHolder(module: Module): void {
    this.holders.delete(module);
    (this.dir.lookup('holders') as KernfsDir).removeChild(module.name);
  }

  /** Links the module and one of its drivers to each other (`module_add_driver`). */
  addDriver(driver: DeviceDriver): void {
    const drivers = (this.dir.find('drivers') as KernfsDir | undefined) ?? this.dir.addDir('drivers');
    drivers.addLink(`${driver.bus.name}:${driver.name}`, driver.dir);
    driver.dir.addLink('module', this.dir);
  }

  removeDriver(driver: DeviceDriver): void {
    driver.dir.removeChild('module');
    (this.dir.lookup('drivers') as KernfsDir).removeChild(`${driver.bus.name}:${driver.name}`);
  }
}

function addFiles(
  dir: KernfsDir,
  name: string,
  mode: number,
  contents: Record<string, string>,
  encode: (content: string) => Buffer,
): void {
  const attributes = Object.entries(contents).map(([file, content]) =>
    fixedFile(file, mode, encode(content)),
  );
  if (attributes.length > 0) dir.addTemplate(new AttributeGroup<Module>({ name, attributes }));
}
