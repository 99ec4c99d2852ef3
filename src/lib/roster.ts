/**
 * A list of things that know their own names, found by name. Most lists of a machine have one member (the group of a
 * mediated device has one device, the device one child), and a hundred thousand of them have to fit: such a list is
 * that member itself.
 * @module
 */

import { NumberedMap } from './numbered-map.js';

interface Named {
  readonly name: string;
}

/**
 * Treat as opaque: read with the functions below, and keep what {@link rosterWith} and {@link rosterWithout} return.
 * Members come in the order of a {@link NumberedMap}: those with other names than numbered ones as they were added.
 */
export type Roster<V extends Named> = V | NumberedMap<V> | undefined;

export function rosterGet<V extends Named>(roster: Roster<V>, name: string): V | undefined {
  if (roster instanceof NumberedMap) return roster.get(name);
  return roster?.name === name ? roster : undefined;
}

/** The roster with a member, in place of one that had its name. */
export function rosterWith<V extends Named>(roster: Roster<V>, member: V): Roster<V> {
  if (roster === undefined) return member;
  if (!(roster instanceof NumberedMap)) {
    if (roster.name === member.name) return member;
    const only = roster;
    roster = new NumberedMap<V>();
    roster.set(only.name, only);
  }
  roster.set(member.name, member);
  return roster;
}

/** The roster without the member of that name; the same one when it has none. */
export function rosterWithout<V extends Named>(roster: Roster<V>, name: string): Roster<V> {
  if (!(roster instanceof NumberedMap)) return roster?.name === name ? undefined : roster;
  roster.delete(name);
  return roster.size === 0 ? undefined : roster;
}

export function rosterMembers<V extends Named>(roster: Roster<V>): Iterable<V> {
  if (roster instanceof NumberedMap) return roster.values();
  return roster === undefined ? [] : [roster];
}

export function rosterSize<V extends Named>(roster: Roster<V>): number {
  if (roster instanceof NumberedMap) return roster.size;
  return roster === undefined ? 0 : 1;
}
