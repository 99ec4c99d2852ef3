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
import type { UeventAction, UeventDescription } from './uevent.js';

/**
 * Bits of an object's state. Like the kernel's bit fields they share one word, with the parts that a device shows.
 */
export const State = {
  /** An `add` uevent was sent, so a `remove` is owed. */
  AddUeventSent: 1,
  InSysfs: 2,
  /** Deletion began: no driver may bind any more. */
  Dead: 4,
} as const;

const noVariables: readonly string[] = [];

export abstract class Kobject {
  abstract readonly core: DriverCore;
  abstract readonly name: string;

  /** The object's directory. A device has one only when somebody has looked at it. */
  made: KernfsDir | undefined = undefined;
  /** A set of {@link State}, and in a device of parts. */
  protected bits = 0;

  /** SUBSYSTEM of the object's uevents; undefined for an object that has none. */
  abstract readonly subsystem: string | undefined;

  /** Variables of its uevents, beyond ACTION, DEVPATH and SUBSYSTEM, as `KEY=value`. */
  ueventVariables(): string[] {
    return [];
  }

  /** The object's directory. Only an object in sysfs has one. */
  get dir(): KernfsDir {
    if (!this.made) throw new Error(`${this.name} is not in sysfs`);
    return this.made;
  }

  /** Path of the object below the sysfs mount, with a leading slash. */
  get path(): string {
    return this.dir.path;
  }

  get inSysfs(): boolean {
    return (this.bits & State.InSysfs) !== 0;
  }

  /**
   * Makes the directory (`kobject_add`).
   * @throws EEXIST when the parent has an entry of that name
   */
  kobjectAdd(parent: KernfsDir): KernfsDir {
    this.made = parent.addDir(this.name, this);
    this.bits |= State.InSysfs;
    return this.made;
  }

  /** Removes the directory (`kobject_del`), after a `remove` uevent if that is still owed. */
  kobjectDel(): void {
    this.announceRemoval();
    this.dir.parent?.removeChild(this.name);
    this.made = undefined;
    this.bits &= ~State.InSysfs;
  }

  protected announceRemoval(): void {
    if (this.bits & State.AddUeventSent) this.uevent('remove');
  }

  /**
   * Announces an event (`kobject_uevent_env`).
   * @param extra variables that come before the object's own, as `KEY=value`
   */
  uevent(action: UeventAction, extra = noVariables): void {
    if (action === 'add') this.bits |= State.AddUeventSent;
    if (action === 'remove') this.bits &= ~State.AddUeventSent;
    this.emit(action, extra);
  }

  /** Announces an event that somebody asked for; it leaves no trace in the object's state. */
  emit(action: UeventAction, extra: readonly string[]): void {
    if (this.subsystem !== undefined) this.core.uevents.emit(action, this, extra);
  }

  /** What an event tells of the object; asked for only when somebody listens. */
  describe(action: UeventAction, extra: readonly string[]): UeventDescription {
    let own = this.ueventVariables();
    // An unbound device matches no driver, so the event carries no hint to load one (zap_modalias_env).
    if (action === 'unbind') own = own.filter((variable) => !variable.startsWith('MODALIAS='));
    return { devpath: this.path, subsystem: this.subsystem!, variables: [...extra, ...own] };
  }
}
