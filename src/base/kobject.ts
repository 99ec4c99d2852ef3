/**
 * The kernel object (lib/kobject.c): something with a directory in sysfs and a voice for uevents.
 *
 * Modelled: the directory, and the rule that an object whose `add` was announced announces its `remove` too,
 * at the latest when its directory goes. Not modelled: reference counts; an object lives as long as
 * somebody holds it.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import type { DriverCore } from './core.js';
import type { UeventAction } from './uevent.js';

export abstract class Kobject {
  #dir: KernfsDir | undefined;
  #announced = false;

  constructor(
    readonly core: DriverCore,
    readonly name: string,
  ) {}

  /** SUBSYSTEM of the object's uevents; undefined for an object that has none. */
  abstract readonly subsystem: string | undefined;

  /** Variables of its uevents, beyond ACTION, DEVPATH and SUBSYSTEM, as `KEY=value`. */
  ueventVariables(): string[] {
    return [];
  }

  /** The object's directory, while it is in sysfs. */
  get dir(): KernfsDir {
    if (!this.#dir) throw new Error(`${this.name} is not in sysfs`);
    return this.#dir;
  }

  get inSysfs(): boolean {
    return this.#dir !== undefined;
  }

  /**
   * Makes the directory (`kobject_add`).
   * @throws EEXIST when the parent has an entry of that name
   */
  kobjectAdd(parent: KernfsDir): KernfsDir {
    this.#dir = parent.addDir(this.name, this);
    return this.#dir;
  }

  /** Removes the directory (`kobject_del`), after a `remove` uevent if that is still owed. */
  kobjectDel(): void {
    const { dir } = this;
    if (this.#announced) this.uevent('remove');
    dir.parent?.removeChild(this.name);
    this.#dir = undefined;
  }

  /**
   * Announces an event (`kobject_uevent_env`).
   * @param extra variables that come before the object's own, as `KEY=value`
   */
  uevent(action: UeventAction, extra: readonly string[] = []): void {
    if (action === 'add') this.#announced = true;
    if (action === 'remove') this.#announced = false;
    if (this.subsystem === undefined) return;
    let own = this.ueventVariables();
    // An unbound device matches no driver, so the event carries no hint to load one (zap_modalias_env).
    if (action === 'unbind') own = own.filter((variable) => !variable.startsWith('MODALIAS='));
    this.core.uevents.emit(action, this.dir.path, this.subsystem, [...extra, ...own]);
  }
}
