/**
 * A case on its way: the system under test, the descriptors by their recorded names, and what was heard.
 * @module
 */

import type { Sleeps } from '../../src/lib/sleep.js';
import { ArmedEventfds } from './armed.js';
import type { Host } from './host.js';
import { RecorderFiles } from './recorder-files.js';
import type { Case } from './recording.js';
import { type Sys, type SysBackground, type SysChild, Unsupported } from './sys.js';

/** A step needs a descriptor that an earlier step failed to open. */
export class NoDescriptor extends Error {}

/** A step of which nothing can be checked; the message says why. */
export class NothingToCheck extends Error {}

/** A write that was left waiting, and what became of it. */
export interface Pending {
  result: Promise<unknown>;
  settled: boolean;
  /** Who waits, where that is a process. */
  writer?: SysBackground | undefined;
}

export class Run {
  readonly #fds = new Map<string, number>();
  readonly #held: number[] = [];
  /** The numbers that the recorder's files had. */
  readonly recorder = new RecorderFiles();
  #recent: string | undefined;
  #events: string[][] | undefined = [];
  readonly pending = new Map<string, Pending>();
  /** Entries of a directory stream that were fetched and not yet told. */
  buffered: string[] = [];
  /** The device file that was opened last, by its name here. */
  openDevice: string | undefined;
  /** Where the config region of that device is. */
  config = 0;
  /** Processes that hold files of the case. */
  readonly children: SysChild[] = [];
  /** Where a file is mapped, and the list that a request filled in last. */
  mapping: bigint | undefined;
  list: bigint | undefined;
  /** How many eventfds steps of the case made. */
  eventfds = 0;
  readonly armed = new ArmedEventfds();
  /** The device that a step of the case created last. */
  created: string | undefined;
  /** The device an `ids` note spoke of last. */
  device: string | undefined;

  constructor(
    readonly sys: Sys,
    readonly host: Host,
    readonly recording: Case,
  ) {}

  /** The optional call `name`. */
  call<K extends keyof Sys>(name: K): NonNullable<Sys[K]> {
    const call = this.sys[name];
    if (!call) throw new Unsupported(`no ${name} here`);
    return (call as (...args: never[]) => unknown).bind(this.sys) as NonNullable<Sys[K]>;
  }

  /**
   * Names a descriptor as the recording does.
   * @param number the recorder's number for it, where it is known
   */
  name(name: string, fd: number, number?: number): void {
    const known = this.#fds.get(name);
    if (known !== undefined) this.hold(known);
    this.#fds.set(name, fd);
    this.recorder.add(name, number);
    this.#recent = name;
  }

  /**
   * The recorder's `as_uid` steps ran in a child process, and what it opened was closed when it ended.
   * @param names descriptors of the steps that just ended
   */
  endChild(names: Iterable<string>): void {
    for (const name of names) {
      const fd = this.#fds.get(name);
      if (fd === undefined) continue;
      this.#fds.delete(name);
      this.sys.close(fd);
    }
  }

  /** Keeps a descriptor open to the end of the case. */
  hold(fd: number): number {
    this.#held.push(fd);
    return fd;
  }

  /** The name of the descriptor that was opened or used last. */
  get recent(): string | undefined {
    return this.#recent;
  }

  /** The descriptor of that name; without a name, the one that was opened or used last. */
  fd(name: unknown = this.#recent): number {
    const fd = typeof name === 'string' ? this.#fds.get(name) : undefined;
    if (fd === undefined) throw new NoDescriptor(`no descriptor ${String(name)}: nothing opened it`);
    this.#recent = name as string;
    return fd;
  }

  /** The descriptor of that name, without taking it for the one that a step without a name means. */
  peek(name: unknown): number {
    const recent = this.#recent;
    try {
      return this.fd(name);
    } finally {
      this.#recent = recent;
    }
  }

  /** The number that a named descriptor has in its own process; this is no use of it. */
  numberOf(name: string): number {
    const fd = this.#fds.get(name);
    if (fd === undefined) throw new NoDescriptor(`no descriptor ${name}: nothing opened it`);
    return this.sys.fdNumber?.(fd) ?? fd;
  }

  has(name: string): boolean {
    return this.#fds.has(name);
  }

  forget(name: unknown): void {
    this.#fds.delete(String(name));
    this.recorder.remove(String(name));
  }

  /** Collects what was announced by now; `heard` false lets it pass unheard, as the recorder's own doings. */
  listen(heard = true): void {
    const events = this.host.takeUevents();
    if (events === undefined) this.#events = undefined;
    else if (heard) this.#events?.push(...events);
  }

  /** The uevents since the last call, or undefined where none can be heard. */
  takeEvents(): string[][] | undefined {
    this.listen();
    const events = this.#events;
    if (events) this.#events = [];
    return events;
  }

  /** Starts something that may block, and goes on. */
  start(name: string, result: Sleeps<unknown>, writer?: SysBackground): Pending {
    const pending: Pending = { result: Promise.resolve(result), settled: false, writer };
    const settle = (): void => {
      pending.settled = true;
    };
    pending.result.then(settle, settle);
    this.pending.set(name, pending);
    return pending;
  }

  end(): void {
    for (const child of this.children.splice(0)) child.exit();
    if (this.mapping !== undefined) this.sys.munmap?.(this.mapping);
    for (const fd of [...this.#fds.values(), ...this.#held]) {
      try {
        this.sys.close(fd);
      } catch {
        // The recording closed it under another name.
      }
    }
    this.#fds.clear();
  }
}

/** Lets everything that is ready run: promises, timers that are due, and replies. */
export function settle(milliseconds = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
