/**
 * Hot plug: parents that come and go while the machine runs. What goes is what the kernel does when hardware is pulled:
 * drivers let go, parents are unregistered with their devices, which waits while one is open. What comes back is new.
 *
 * * a PCI function leaves its slot, with all behind it when it is a bridge; a rescan does not find it
 * * a subchannel leaves the channel subsystem
 * * a cryptographic adapter leaves the partition
 * * the card of a sample driver (mtty, mdpy, mbochs) leaves; its module stays, as that of a real card would; so does that
 *   of the AP matrix, which no hardware is behind
 * * a fixture brings what it has that the machine has not
 *
 * Failures are errnos; the kernel log says what they are about.
 * @module
 */

import { isDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { didYouMean } from '../lib/nearest.js';
import { after, andThen, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { type Fixture, FixtureError } from './fixture.js';
import type { PciFunctionFixture } from './fixture-pci.js';
import { PciSlots } from './hotplug-pci.js';
import { type HotplugState, putBackHotplug, stateOfHotplug } from './hotplug-state.js';
import { plugFixture } from './hotplug-fixture.js';
import type { Machine } from './machine.js';

/** Fixtures by their names. */
export type FixtureShelf = Pick<ReadonlyMap<string, Fixture>, 'get' | 'keys'>;

const PARENTS = 'mdev_bus';

export class Hotplug {
  readonly #slots: PciSlots;
  readonly #leaving = new Set<string>();
  /** What fixtures brought, by their names. */
  readonly #brought = new Map<string, readonly string[]>();

  /** @param fixtures what can be plugged in by name */
  constructor(
    readonly machine: Machine,
    readonly fixtures: FixtureShelf = new Map(),
  ) {
    this.#slots = new PciSlots(() => this.machine.host.pciHost);
  }

  /** Parents, and what could become one when it is plugged in: `NAME plugged`, `NAME leaving` or `NAME unplugged`. */
  get lines(): string[] {
    const { core } = this.machine;
    const empty = [...core.slots].filter(([, { occupied }]) => !occupied).map(([name]) => name);
    const unplugged = [...this.#slots.unplugged, ...empty].filter((name) => !this.#leaving.has(name));
    const parents = [...this.#parents].filter((name) => !this.#leaving.has(name));
    return [
      ...parents.map((name) => `${name} plugged`),
      ...[...this.#leaving].map((name) => `${name} leaving`),
      ...unplugged.map((name) => `${name} unplugged`),
    ].sort();
  }

  get #parents(): readonly string[] {
    const dir = this.machine.core.class.find(PARENTS);
    return dir && isDir(dir) ? dir.names() : [];
  }

  /** @throws always, and tells the log why */
  refuse(errno: number, why: string): never {
    this.machine.core.log.print(`mdevfs: hotplug: ${why}`);
    throw new KernelError(errno);
  }

  /** What was plugged in and out since the boot. */
  get state(): HotplugState {
    return stateOfHotplug(this.machine, this.#slots, this.#leaving, this.#brought);
  }

  /**
   * Plugs in and out what was on a machine of the same fixture, before modules are loaded. Slots that come with modules
   * are emptied by {@link empty}.
   * @param change what a fixture that was plugged in is changed to
   */
  putBack(state: HotplugState, change: (fixture: Fixture) => Fixture): Sleeps<void> {
    for (const [name, names] of Object.entries(state.brought)) this.#brought.set(name, names);
    return putBackHotplug(this.machine, this.#slots, state, change);
  }

  /** Takes what is in slots out of them. */
  empty(names: readonly string[]): Sleeps<void> {
    return eachInTurn(names, (name) => {
      const slot = this.machine.core.slots.get(name);
      return slot?.occupied ? slot.unplug() : undefined;
    });
  }

  /**
   * Plugs in what was unplugged before, by the name of its device, or a fixture.
   * @throws EEXIST when it is there, EBUSY while it is leaving, ENOENT when nothing has that name, ENODEV when the bridge
   * above it is unplugged
   */
  add(name: string): Sleeps<void> {
    if (this.#leaving.has(name)) this.refuse(Errno.EBUSY, `${name}: is still leaving; see holders`);
    const slot = this.machine.core.slots.get(name);
    if (slot) return slot.occupied ? this.refuse(Errno.EEXIST, `${name}: is there`) : slot.plug();
    if (this.#slots.unplugged.includes(name)) {
      this.#assertBus(name);
      return this.#slots.plug(name);
    }
    if (this.#slots.has(name)) {
      if (this.#slots.isFound(name)) this.refuse(Errno.EEXIST, `${name}: is there`);
      return this.#slots.rescan();
    }
    const fixture = this.#fixture(name);
    if (!fixture) {
      const names = [...this.#slots.unplugged, ...this.machine.core.slots.keys(), ...this.fixtures.keys()];
      return this.refuse(Errno.ENOENT, `${name}: neither unplugged nor a fixture${didYouMean(name, names)}`);
    }
    return this.addFixture(fixture);
  }

  #fixture(name: string): Fixture | undefined {
    try {
      return this.fixtures.get(name);
    } catch (error) {
      if (!(error instanceof FixtureError)) throw error;
      return this.refuse(Errno.EINVAL, error.faults[0]!);
    }
  }

  /**
   * Adds what a fixture has and the machine has not: functions, subchannels, modules, devices, rules.
   * @throws EEXIST when there is nothing like that, or something else is where it should be
   */
  addFixture(fixture: Fixture): Sleeps<void> {
    const before = (this.#brought.get(fixture.name) ?? []).filter((name) => !this.#leaving.has(name));
    return after(plugFixture(this, this.#slots, fixture, before), (names) => {
      this.#brought.set(fixture.name, [...new Set([...before, ...names])]);
    });
  }

  /**
   * Plugs in a PCI function, in place of one that was unplugged there.
   * @throws EEXIST when its slot is taken; ENODEV without a bus for it
   */
  addFunction(description: PciFunctionFixture): Sleeps<void> {
    const { address } = description;
    if (this.#slots.has(address) || this.#leaving.has(address))
      this.refuse(Errno.EEXIST, `${address}: there is a function already; remove it first`);
    this.#assertBus(address);
    return this.#slots.insert([description]);
  }

  #assertBus(address: string): void {
    const bus = address.slice(0, 7);
    if (!this.machine.host.pci?.hasBus(bus)) this.refuse(Errno.ENODEV, `${address}: there is no bus ${bus}`);
  }

  /**
   * Unplugs a parent, any PCI function, or what a fixture brought; sleeps while a device of it is open.
   * @throws ENODEV when there is none of that name, EBUSY while it is leaving already
   */
  remove(name: string): Sleeps<void> {
    if (this.#leaving.has(name)) this.refuse(Errno.EBUSY, `${name}: is leaving already; see holders`);
    const slot = this.machine.core.slots.get(name);
    if (slot?.occupied) return this.#leave(name, () => slot.unplug());
    if (this.#slots.has(name)) return this.#leave(name, () => this.#slots.unplug(name));
    if (slot || this.#slots.unplugged.includes(name))
      this.refuse(Errno.ENODEV, `${name}: is unplugged already`);
    const brought = this.#brought.get(name);
    const there = brought?.filter((each) => this.#isThere(each)).reverse() ?? [];
    if (there.length > 0)
      return eachInTurn(there, (each) => (this.#isThere(each) ? this.remove(each) : undefined));
    if (brought) this.refuse(Errno.ENODEV, `${name}: nothing of it is there that could be unplugged`);
    if (this.#parents.includes(name))
      this.refuse(
        Errno.EOPNOTSUPP,
        `${name}: comes and goes with its module only; see kernel/debug/mdevfs/module`,
      );
    const names = [
      ...this.#parents,
      ...this.machine.core.slots.keys(),
      ...this.#slots.unplugged,
      ...this.#brought.keys(),
    ];
    return this.refuse(Errno.ENODEV, `${name}: is no parent here${didYouMean(name, names)}`);
  }

  #isThere(name: string): boolean {
    return this.machine.core.slots.get(name)?.occupied === true || this.#slots.has(name);
  }

  #leave(name: string, unplug: () => Sleeps<void>): Sleeps<void> {
    this.#leaving.add(name);
    return andThen(unplug, () => this.#leaving.delete(name));
  }
}
