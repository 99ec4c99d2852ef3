/**
 * The bench of mounted trees: one mount for all cases, reset between them, and one for every snapshot family.
 * @module
 */

import { type Bench, type FamilyResult, type NotReplayed, statesOf, unknownFamily } from './bench.js';
import type { Family } from './family.js';
import type { MountTransport } from './host.js';
import { caseModules } from './hosts.js';
import { Mounted } from './mounted.js';
import type { Case } from './recording.js';
import type { StepResult } from './steps.js';

const CASE_TIMEOUT = 60_000;
const FAMILY_TIMEOUT = 120_000;

export class MountBench implements Bench {
  #cases: Promise<Mounted> | undefined;
  #family: Mounted | undefined;

  constructor(readonly over: MountTransport) {}

  async replayCase(recording: Case): Promise<StepResult[]> {
    const choice = { profile: 'default', topic: 'cases', modules: caseModules } as const;
    this.#cases ??= Mounted.start(choice, this.over);
    const mounted = await this.#cases;
    try {
      return await mounted.run({ do: 'case', recording, modules: caseModules }, CASE_TIMEOUT);
    } catch (error) {
      // What the case left behind is unknown: the next one gets a mount of its own.
      this.#cases = undefined;
      await mounted.stop();
      const got = `${error instanceof Error ? error.message : String(error)}\n${mounted.output}`.trim();
      return recording.steps.map((_, index) => ({ index, verdict: 'mismatch', expected: 'an answer', got }));
    }
  }

  async replayFamily(family: Family): Promise<FamilyResult[] | NotReplayed> {
    if (!statesOf(family)) return unknownFamily;
    const { states, ...rest } = family;
    const choice = { profile: family.profile, topic: family.name, modules: [] };
    this.#family = await Mounted.start(choice, this.over);
    try {
      return await this.#family.run({ do: 'family', family: rest, states: [...states] }, FAMILY_TIMEOUT);
    } finally {
      await this.#family.stop();
      this.#family = undefined;
    }
  }

  async replayUevents(): Promise<NotReplayed> {
    return { reason: 'uevents do not show in a mounted tree' };
  }

  async close(): Promise<void> {
    await this.#family?.stop();
    const cases = await this.#cases?.catch(() => undefined);
    await cases?.stop();
  }
}
