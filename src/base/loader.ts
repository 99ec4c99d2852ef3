/**
 * Loading and unloading modules (kernel/module/main.c), and the part of modprobe that loads what a module needs.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { DriverCore } from './core.js';
import { configured, Module, type ModuleDefinition, type ModuleImage } from './module.js';
import { ModuleParameters, unknownParameters } from './param.js';

interface Loaded {
  module: Module;
  exported: unknown;
}

export class ModuleLoader {
  readonly #loaded = new Map<string, Loaded>();
  readonly #builtins = new Map<string, unknown>();

  /**
   * @param images facts of compiled modules, by name
   */
  constructor(
    readonly core: DriverCore,
    private images: Readonly<Record<string, ModuleImage>> = {},
  ) {}

  /** Facts of more compiled modules; those that are known stay. */
  addImages(images: Readonly<Record<string, ModuleImage>>): void {
    this.images = { ...images, ...this.images };
  }

  /** Makes a built-in part of the kernel available to every module. */
  addBuiltin<T>(definition: ModuleDefinition<T>, part: T): void {
    this.#builtins.set(definition.name, part);
  }

  get loaded(): readonly string[] {
    return [...this.#loaded.keys()];
  }

  /** The loaded modules, each after those that it needs. */
  get modules(): readonly Module[] {
    return [...this.#loaded.values()].map(({ module }) => module);
  }

  /** What a loaded module exports; undefined while it is not loaded. */
  exportsOf<T>(definition: ModuleDefinition<T>): T | undefined {
    return this.#loaded.get(definition.name)?.exported as T | undefined;
  }

  /**
   * Loads a module, and first what it depends on (`modprobe`). Nothing happens when it is loaded already.
   * @param parameters values by name, as text
   * @throws EINVAL, ERANGE for a parameter value; what the module's init fails with
   */
  modprobe(definition: ModuleDefinition, parameters: Record<string, string> = {}): void {
    if (this.#loaded.has(definition.name)) return;
    for (const needed of configured(definition.depends ?? [], this.core.profile)) this.modprobe(needed);
    this.insmod(definition, parameters);
  }

  /**
   * Loads one module (`init_module`).
   * @throws EEXIST when it is loaded
   * @throws ENOENT when a module that it needs is not
   */
  insmod(definition: ModuleDefinition, given: Record<string, string> = {}): void {
    const { name } = definition;
    if (this.#loaded.has(name)) throw new KernelError(Errno.EEXIST);
    const { profile } = this.core;
    const needed = configured(definition.depends ?? [], profile).map((dependency) => {
      const loaded = this.#loaded.get(dependency.name);
      if (!loaded) throw new KernelError(Errno.ENOENT);
      return loaded;
    });
    const parameters = new ModuleParameters(configured(definition.parameters ?? [], profile), given);
    for (const unknown of unknownParameters(parameters.declared, given)) {
      this.core.log.print(`${name}: unknown parameter '${unknown}' ignored`);
    }
    const imports = new Map(this.#builtins);
    for (const { module, exported } of needed) imports.set(module.name, exported);
    const module = new Module(this.core, definition, this.images[name] ?? {}, parameters, imports);
    module.addToSysfs();
    for (const dependency of needed) dependency.module.addHolder(module);
    try {
      const exported = definition.init(module);
      this.#loaded.set(name, { module, exported });
    } catch (error) {
      for (const dependency of needed) dependency.module.removeHolder(module);
      module.kobjectDel();
      throw error;
    }
    module.state = 'live';
    module.uevent('add');
  }

  /**
   * Unloads a module (`delete_module`); sleeps while its devices are in use.
   * @throws ENOENT when it is not loaded
   * @throws EAGAIN while other modules or open files use it
   * @throws EBUSY when it has no exit function or is on its way already
   */
  rmmod(name: string): Sleeps<void> {
    const loaded = this.#loaded.get(name);
    if (!loaded) throw new KernelError(Errno.ENOENT);
    const { module, exported } = loaded;
    if (module.refcount > 0) throw new KernelError(Errno.EAGAIN);
    const { exit } = module.definition;
    if (module.state !== 'live' || !exit) throw new KernelError(Errno.EBUSY);
    module.state = 'going';
    return after(exit(exported, module), () => {
      this.#loaded.delete(name);
      for (const { module: other } of this.#loaded.values()) {
        if (other.holders.has(module)) other.removeHolder(module);
      }
      module.kobjectDel();
    });
  }
}
