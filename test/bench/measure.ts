/**
 * The measurements. All candidates are up at the same time and take turns within a round, so that what disturbs the
 * machine disturbs them alike.
 * @module
 */

import type { Caller } from './caller.js';
import { type Candidate, createFile, removeFile, type Served } from './candidate.js';
import { Interrupted, pause } from './child.js';
import { type Placement, place, placements } from './cpus.js';
import { idleSwitches, SETTLE_MS } from './idle.js';
import { countRequests } from './round-trips.js';
import type { Operation, Samples } from './samples.js';
import { Scope } from './scope.js';

export interface Plan {
  /** Numbers of devices to measure with, ascending. */
  devices: number[];
  rounds: number;
  /** Length of a measurement of a short operation. */
  ms: number;
  /** The same of a walk, which goes on to its end. */
  walkMs: number;
  /** Devices to create and remove in a round. */
  cycles: number;
  /** Devices to create and remove among; 0 leaves the comparison of many with few out. */
  scale: number;
  idleSeconds: number;
  /** A client has this long for anything; what takes longer is left out from then on. */
  limitMs: number;
  /** So long, at each number of devices, is everybody walked by each program; then the rounds so far have to do. */
  walksMs: number;
}

interface Entrant {
  candidate: Candidate;
  served: Served;
  devices: number;
}

type Words = readonly (string | number)[];

/** Long enough for a compiler that has to share the processor with what it compiles. */
const WARM_UP_MS = 250;

/** The same for devices that come and go. */
const WARM_UP_DEVICES = 4000;

/** Walks of more devices than that: no more rounds than that, on one processor. */
const MANY = 1000;
const ROUNDS_OF_MANY = 3;

/** What create and remove at scale are compared with. */
export const FEW = 100;

/** Devices that come and go have numbers from here on, never used twice. */
const FIRST_TRANSIENT = 0x1000_0000;

const calls = ['open+read+close', 'cat', 'open+read+close, changing', 'stat', 'readlink', 'readdir'] as const;

type Walk = 'find' | 'ls -lR';

const walks: readonly Walk[] = ['find', 'ls -lR'];

/** @param ms how long to go on; 0 for once */
const walkWords = (walk: Walk, ms: number): Words => ['run', ms, ...walk.split(' '), '.'];

/** The first walk also builds what is built when it is looked at, and may take so many times longer. */
const FIRST_WALK = 3;

const thousands = (n: number): string => n.toLocaleString('en-US');

export class Measurement {
  #transient = FIRST_TRANSIENT;
  readonly #failed = new Set<string>();

  constructor(
    readonly plan: Plan,
    readonly candidates: readonly Candidate[],
    readonly caller: Caller,
    readonly samples: Samples,
    /** Takes a line about what is going on. */
    readonly say: (line: string) => void,
  ) {}

  async run(): Promise<void> {
    await Scope.with(async (scope) => {
      const idlers = await this.#idlers(scope);
      const since = Date.now();
      for (const devices of this.plan.devices) await Scope.with((inner) => this.#size(inner, devices));
      await Scope.with((inner) => this.#scale(inner));
      await this.#idle(idlers, since);
    });
  }

  async #size(scope: Scope, devices: number): Promise<void> {
    const entrants: Entrant[] = [];
    for (const candidate of this.candidates) {
      if (candidate.limit.devices < devices) continue;
      const entrant = await this.#start(scope, candidate, devices);
      if (entrant) entrants.push(entrant);
    }
    const walkers = entrants.filter(({ candidate }) => candidate.limit.walks >= devices);
    this.say(`${thousands(devices)} devices: first walks`);
    for (const entrant of walkers)
      for (const walk of walks) await this.#sample(entrant, walk, walkWords(walk, 0), 'one', -1);

    const many = devices > MANY;
    await this.#rounds(walkers, {
      what: 'walks',
      rounds: many ? Math.min(this.plan.rounds, ROUNDS_OF_MANY) : this.plan.rounds,
      over: many ? ['one'] : placements,
      body: async (turn, placement, round) => {
        for (const walk of walks)
          for (const entrant of turn)
            if (this.#spent(entrant, walk) < this.plan.walksMs)
              await this.#sample(entrant, walk, walkWords(walk, this.plan.walkMs), placement, round);
      },
    });
    // A daemon in JavaScript is compiled while it runs.
    for (const entrant of entrants) await this.#warmUp(entrant);
    await this.#rounds(entrants, {
      what: 'calls',
      rounds: this.plan.rounds,
      over: placements,
      body: async (turn, placement, round) => {
        for (const operation of calls)
          for (const entrant of turn)
            await this.#sample(entrant, operation, this.#words(entrant, operation), placement, round);
        for (const entrant of turn) await this.#createAndRemove(entrant, placement, round);
      },
    });
    for (const entrant of entrants) await this.#roundTrips(entrant);
  }

  /** Whether creating and removing takes longer the more devices there are. */
  async #scale(scope: Scope): Promise<void> {
    const entrants: Entrant[] = [];
    for (const candidate of this.candidates) {
      if (candidate.name !== 'fuse' && candidate.name !== 'fuse-native') continue;
      for (const devices of candidate.name === 'fuse' && this.plan.scale > 0
        ? [FEW, this.plan.scale]
        : [FEW]) {
        const entrant = await this.#start(scope, candidate, devices);
        if (entrant) entrants.push(entrant);
      }
    }
    for (const entrant of entrants) await this.#warmUp(entrant);
    await this.#rounds(entrants, {
      what: 'create and remove',
      rounds: this.plan.rounds,
      over: ['one'],
      body: async (turn, placement, round) => {
        for (const entrant of turn) await this.#createAndRemove(entrant, placement, round);
      },
    });
  }

  async #start(scope: Scope, candidate: Candidate, devices: number): Promise<Entrant | undefined> {
    this.say(`${thousands(devices)} devices: ${candidate.name}`);
    try {
      return { candidate, served: await candidate.start(scope, devices), devices };
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      this.samples.skipped.push({ candidate: candidate.name, devices, reason: (error as Error).message });
      return undefined;
    }
  }

  async #rounds(
    entrants: readonly Entrant[],
    {
      what,
      rounds,
      over,
      body,
    }: {
      what: string;
      rounds: number;
      over: readonly Placement[];
      body: (turn: readonly Entrant[], placement: Placement, round: number) => Promise<void>;
    },
  ): Promise<void> {
    if (entrants.length === 0) return;
    for (let round = 0; round < rounds; round++)
      for (const placement of over) {
        this.say(`${thousands(entrants[0]!.devices)} devices: ${what}, round ${round + 1} of ${rounds}`);
        for (const { served } of entrants) if (served.pid !== undefined) await place(served.pid, placement);
        // Another one is first every time.
        const from = round % entrants.length;
        await body([...entrants.slice(from), ...entrants.slice(0, from)], placement, round);
      }
    for (const { served } of entrants) if (served.pid !== undefined) await place(served.pid, 'one');
  }

  #words({ served: { paths } }: Entrant, operation: Operation, ms = this.plan.ms): Words {
    switch (operation) {
      case 'open+read+close':
        return ['read', ms, paths.file];
      case 'open+read+close, changing':
        return ['read', ms, paths.changing];
      case 'readlink':
        return ['readlink', ms, paths.link];
      case 'readdir':
        return ['readdir', ms, paths.dir];
      default:
        return [operation, ms, paths.file];
    }
  }

  /** The next so many devices to create, and to remove again. */
  #cycle(count: number): { create: Words; remove: Words } {
    const first = this.#transient;
    this.#transient += count;
    return {
      create: ['create', createFile, first, count],
      remove: ['remove', removeFile.prefix, removeFile.suffix, first, count],
    };
  }

  async #createAndRemove(entrant: Entrant, placement: Placement, round: number): Promise<void> {
    if (!entrant.served.creates) return;
    const { create, remove } = this.#cycle(this.plan.cycles);
    if (await this.#sample(entrant, 'create', create, placement, round))
      await this.#sample(entrant, 'remove', remove, placement, round);
  }

  async #warmUp(entrant: Entrant): Promise<void> {
    const { served, candidate } = entrant;
    if (served.pid === undefined) return;
    this.say(`${thousands(entrant.devices)} devices: warming ${candidate.name} up`);
    const call = (words: Words): Promise<unknown> => this.caller.call(served.root, words, this.plan.limitMs);
    try {
      for (const operation of ['open+read+close', 'open+read+close, changing', 'cat'] as const)
        await call(this.#words(entrant, operation, WARM_UP_MS));
      for (let devices = 0; served.creates && devices < WARM_UP_DEVICES; devices += this.plan.cycles) {
        const { create, remove } = this.#cycle(this.plan.cycles);
        await call(create);
        await call(remove);
      }
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      // It will fail again where it is reported.
    }
  }

  /** Milliseconds that this took so far. */
  #spent({ candidate, devices }: Entrant, operation: Operation): number {
    return this.samples.all
      .filter(
        (sample) =>
          !sample.cold &&
          sample.candidate === candidate.name &&
          sample.devices === devices &&
          sample.operation === operation,
      )
      .reduce((sum, { count, mean }) => sum + (count * mean) / 1e6, 0);
  }

  /** @param round -1 for the first time of all @returns whether it worked */
  async #sample(
    entrant: Entrant,
    operation: Operation,
    words: Words,
    placement: Placement,
    round: number,
  ): Promise<boolean> {
    const { candidate, served, devices } = entrant;
    const cold = round < 0;
    const key = [candidate.name, devices, operation, ...(cold ? ['first'] : [])].join();
    if (this.#failed.has(key)) return false;
    const limitMs = this.plan.limitMs * (cold ? FIRST_WALK : 1);
    try {
      const timing = await this.caller.call(served.root, words, limitMs);
      this.samples.all.push({
        candidate: candidate.name,
        operation,
        placement,
        devices,
        round,
        cold,
        ...timing,
      });
      return true;
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      this.#failed.add(key);
      const reason = `${cold ? 'first time: ' : ''}${(error as Error).message}`;
      this.samples.skipped.push({ candidate: candidate.name, operation, devices, reason });
      return false;
    }
  }

  async #roundTrips(entrant: Entrant): Promise<void> {
    const { candidate, served, devices } = entrant;
    if (served.counter === undefined) return;
    this.say(`${thousands(devices)} devices: round trips of ${candidate.name}`);
    const { create, remove } = this.#cycle(this.plan.cycles);
    const asked: [Operation, Words][] = [
      ...calls.map((operation): [Operation, Words] => [operation, this.#words(entrant, operation)]),
      ...(candidate.limit.walks >= devices ? walks : []).map((walk): [Operation, Words] => [
        walk,
        walkWords(walk, 0),
      ]),
      ['create', create],
      ['remove', remove],
    ];
    for (const [operation, words] of asked) {
      if (this.#failed.has([candidate.name, devices, operation].join())) continue;
      const own = operation === 'create' || operation === 'remove';
      try {
        // What was done before has made some of it cold, and the first look at a directory outdates its times.
        for (let i = 0; i < 2 && !own; i++) await this.caller.call(served.root, words, this.plan.limitMs);
        const requests = await countRequests(served, this.caller, words, this.plan.limitMs);
        this.samples.roundTrips.push({ candidate: candidate.name, operation, devices, ...requests });
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        const reason = `round trips: ${(error as Error).message}`;
        this.samples.skipped.push({ candidate: candidate.name, operation, devices, reason });
      }
    }
  }

  /** Daemons that have been asked something, and are left alone then. */
  async #idlers(scope: Scope): Promise<Entrant[]> {
    const idlers: Entrant[] = [];
    for (const candidate of this.candidates.filter(({ name }) => name === 'fuse')) {
      const entrant = await this.#start(scope, candidate, this.plan.devices[0]!);
      if (entrant?.served.pid === undefined) continue;
      await this.caller.call(entrant.served.root, walkWords('find', 0), this.plan.limitMs);
      idlers.push(entrant);
    }
    return idlers;
  }

  async #idle(servers: readonly Entrant[], since: number): Promise<void> {
    const { idleSeconds } = this.plan;
    this.say(`idle for ${idleSeconds} s`);
    await pause(Math.max(0, since + SETTLE_MS - Date.now()));
    const switches = await idleSwitches(
      servers.map(({ served }) => served.pid!),
      idleSeconds,
    );
    for (const [i, { candidate }] of servers.entries())
      this.samples.idle.push({ candidate: candidate.name, seconds: idleSeconds, wakeups: switches[i]! });
  }
}
