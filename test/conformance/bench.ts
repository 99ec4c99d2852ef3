/**
 * Where recordings are replayed: a bench makes machines and runs recordings on them. This one makes them in
 * this process, a new one for every case.
 * @module
 */

import { asleep } from '../../src/lib/sleep.js';
import { checkFixture, type Fixture } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { type Action, driverStates, type Family } from './family.js';
import type { Transport } from './host.js';
import { caseModules, type HostChoice, hostFixture } from './hosts.js';
import { processHost, processSys } from './process.js';
import { type Case, type RecordingFile, readSnapshot } from './recording.js';
import { compareSnapshot, type NodeResult } from './snapshot.js';
import { replayCase, type StepResult, type System } from './steps.js';
import { readUevents, replayUevents, type UeventResult } from './uevents.js';
import { sampleTypes } from './unrecorded.js';
import { vgpuStates } from './vgpu.js';

/** What a bench says of a recording that it cannot replay. */
export interface NotReplayed {
  reason: string;
}

export interface FamilyResult {
  file: string;
  nodes: NodeResult[];
}

export interface Bench {
  readonly over: Transport;
  replayCase(recording: Case): Promise<StepResult[]>;
  replayFamily(family: Family): Promise<FamilyResult[] | NotReplayed>;
  replayUevents(file: RecordingFile): Promise<UeventResult[] | NotReplayed>;
  close(): Promise<void>;
}

/** Actions before each state of a family, or undefined for a family whose making is not known. */
export function statesOf(family: Family): readonly Action[] | undefined {
  if (family.name === 'vgpu') return vgpuStates;
  if (!(family.name in sampleTypes)) return undefined;
  const read = (state: number) => {
    const file = family.states.get(state);
    return file && readSnapshot(file.path);
  };
  return driverStates(family.name, read, family.profile);
}

export const unknownFamily: NotReplayed = {
  reason: 'a look at the recording machine itself, nothing is done in it',
};

/** Leads a machine through the states of a family and compares it with every one that was recorded. */
export async function walkFamily(system: System, family: Family): Promise<FamilyResult[]> {
  const results: FamilyResult[] = [];
  for (const [state, action] of (statesOf(family) ?? []).entries()) {
    const done = action(system);
    if (asleep(done)) await done;
    const file = family.states.get(state);
    if (file) results.push({ file: file.name, nodes: compareSnapshot(system, readSnapshot(file.path)) });
  }
  return results;
}

export class ProcessBench implements Bench {
  readonly over = 'process';
  readonly #fixtures = new Map<string, Fixture>();

  async replayCase(recording: Case): Promise<StepResult[]> {
    return this.#on({ profile: 'default', topic: 'cases', modules: caseModules }, (system) =>
      replayCase(system, recording),
    );
  }

  async replayFamily(family: Family): Promise<FamilyResult[] | NotReplayed> {
    if (!statesOf(family)) return unknownFamily;
    const choice = { profile: family.profile, topic: family.name, modules: [] };
    return this.#on(choice, (system) => walkFamily(system, family));
  }

  async replayUevents(file: RecordingFile): Promise<UeventResult[]> {
    const topic = /([a-z]+)[^/]*$/.exec(file.name)?.[1] ?? '';
    return this.#on({ profile: file.profile, topic, modules: [] }, (system) =>
      replayUevents(system, readUevents(file)),
    );
  }

  async close(): Promise<void> {}

  async #on<T>(choice: HostChoice, body: (system: System) => Promise<T>): Promise<T> {
    const key = JSON.stringify(choice);
    const fixture = this.#fixtures.get(key) ?? checkFixture(hostFixture(choice), `hosts/${choice.topic}`);
    this.#fixtures.set(key, fixture);
    const machine = Machine.fromFixture(fixture);
    const host = processHost(machine);
    try {
      return await body({ sys: processSys(machine), host, over: this.over });
    } finally {
      host.close();
    }
  }
}
