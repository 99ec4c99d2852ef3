/**
 * uevents (lib/kobject_uevent.c): what the kernel tells user space about its objects, numbered in order.
 * Here they reach subscribers in the process; carrying them to a netlink socket is the host's business.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { UUID_STRING_LEN, uuidIsValid } from '../lib/guid.js';
import type { Attribute } from '../sysfs/attribute.js';
import type { Kobject } from './kobject.js';

const actions = ['add', 'remove', 'change', 'move', 'online', 'offline', 'bind', 'unbind'] as const;
export type UeventAction = (typeof actions)[number];

export interface Uevent {
  action: UeventAction;
  /** Path of the object below the sysfs mount, with a leading slash. */
  devpath: string;
  /** Every variable in the order of the message, from ACTION to SEQNUM, as `KEY=value`. */
  env: readonly string[];
  seqnum: number;
}

/** What an event says of its object. */
export interface UeventDescription {
  devpath: string;
  subsystem: string;
  variables: readonly string[];
}

/** The message as the netlink socket carries it: a header and the variables, each ended by a NUL. */
export function ueventMessage(event: Uevent): Buffer {
  return Buffer.from([`${event.action}@${event.devpath}`, ...event.env, ''].join('\0'), 'latin1');
}

export class Uevents {
  readonly #subscribers = new Set<(event: Uevent) => void>();

  /** Number of the last event. */
  seqnum = 0;

  /** Calls `listener` with every event from now on. Returns what ends the subscription. */
  subscribe(listener: (event: Uevent) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  /**
   * Numbers an event and tells the subscribers, if there are any.
   * @param extra variables that come before the object's own, as `KEY=value`
   */
  emit(action: UeventAction, object: Kobject, extra: readonly string[]): void {
    const seqnum = ++this.seqnum;
    if (this.#subscribers.size === 0) return;
    const { devpath, subsystem, variables } = object.describe(action, extra);
    const env = [
      `ACTION=${action}`,
      `DEVPATH=${devpath}`,
      `SUBSYSTEM=${subsystem}`,
      ...variables,
      `SEQNUM=${seqnum}`,
    ];
    const event = { action, devpath, env, seqnum };
    for (const subscriber of this.#subscribers) subscriber(event);
  }
}

/**
 * Takes a write to a `uevent` file and announces the event it asks for (`kobject_synth_uevent`): an action,
 * one optional newline or NUL, or an action, a space, a UUID and any number of ` KEY=value`.
 * @throws EINVAL for anything else
 */
export function kobjectSynthUevent(object: Kobject, text: string): void {
  const last = text.at(-1);
  const line = last === '\n' || last === '\0' ? text.slice(0, -1) : text;
  const space = line.indexOf(' ');
  const word = space < 0 ? line : line.slice(0, space);
  const action = actions.find((name) => name === word);
  if (!action) throw new KernelError(Errno.EINVAL);
  object.emit(action, space < 0 ? ['SYNTH_UUID=0'] : synthArguments(line.slice(space + 1)));
}

function synthArguments(text: string): string[] {
  const pairs = text.slice(UUID_STRING_LEN);
  if (!uuidIsValid(text) || !/^( [a-z0-9]+=[a-z0-9]+)*$/i.test(pairs)) throw new KernelError(Errno.EINVAL);
  const variables = [`SYNTH_UUID=${text.slice(0, UUID_STRING_LEN)}`];
  for (const pair of pairs.split(' ').slice(1)) variables.push(`SYNTH_ARG_${pair}`);
  return variables;
}

/** The write-only `uevent` file of buses, drivers and modules. */
export const ueventWriteOnly: Attribute<Kobject> = {
  name: 'uevent',
  mode: 0o200,
  store: kobjectSynthUevent,
};
