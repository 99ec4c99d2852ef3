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
  private dir_: KernfsDir | undefined = undefined;
  private announced_ = false;

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

  /** The object's directory. Only an object in sysfs has one. */
  get dir(): KernfsDir {
    if (!this.dir_) throw new Error(`${this.name} is not in sysfs`);
    return this.dir_;
  }

  /** Path of the object below the sysfs mount, with a leading slash. */
  get path(): string {
    return this.dir.path;
  }

  get inSysfs(): boolean {
    return this.dir_ !== undefined;
  }

  /**
   * Makes the directory (`kobject_add`).
   * @throws EEXIST when the parent has an entry of that name
   */
  kobjectAdd(parent: KernfsDir): KernfsDir {
    this.dir_ = parent.addDir(this.name, this);
    return this.dir_;
  }

  /** Removes the directory (`kobject_del`), after a `remove` uevent if that is still owed. */
  kobjectDel(): void {
    this.announceRemoval();
    this.dir.parent?.removeChild(this.name);
    this.dir_ = undefined;
  }

  protected announceRemoval(): void {
    if (this.announced_) this.uevent('remove');
  }

  /**
   * Announces an event (`kobject_uevent_env`).
   * @param extra variables that come before the object's own, as `KEY=value`
   */
  uevent(action: UeventAction, extra: readonly string[] = []): void {
    if (action === 'add') this.announced_ = true;
    if (action === 'remove') this.announced_ = false;
    this.emit(action, extra);
  }

  /** Announces an event that somebody asked for; it leaves no trace in the object's state. */
  emit(action: UeventAction, extra: readonly string[]): void {
    const { subsystem } = this;
    if (subsystem === undefined) return;
    this.core.uevents.emit(action, () => {
      let own = this.ueventVariables();
      // An unbound device matches no driver, so the event carries no hint to load one (zap_modalias_env).
      if (action === 'unbind') own = own.filter((variable) => !variable.startsWith('MODALIAS='));
      return { devpath: this.path, subsystem, variables: [...extra, ...own] };
    });
  }
}
