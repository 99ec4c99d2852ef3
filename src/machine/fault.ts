/**
 * Fault injection: the rules of a machine, and who asks for them. Files ask by way of the root of their tree, drivers and
 * open devices by way of the driver core; while no rule is about them, neither has anybody to ask.
 *
 * Of several rules the oldest that strikes counts. Which rules are about a file is found out once, when it is used for
 * the first time with these rules. The control files of mdevfs itself never fail, so that rules can always be taken back.
 * @module
 */

import * as z from 'zod';
import type { DriverCore } from '../base/core.js';
import type { Device } from '../base/device.js';
import type { DeviceDriver } from '../base/driver.js';
import type { DeviceCall, DeviceFaults } from '../base/fault.js';
import type { CharFile } from '../base/file.js';
import type { KernfsDir } from '../kernfs/dir.js';
import type { FileFaults, FileOperation } from '../kernfs/fault.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Fault } from '../lib/fault.js';
import { FaultRule } from './fault-rule.js';
import { type FaultOperation, type FaultRuleData, type FaultRuleInput, faultRule } from './fault-schema.js';
import { FixtureError } from './fixture.js';
import { describeIssues } from './fixture-fault.js';

const ofFiles: readonly FaultOperation[] = ['open', 'read', 'write'];
const NONE: readonly FaultRule[] = [];
/** Each is asked about every operation that it may concern. */
const MOST_RULES = 4096;

export const faultState = z.strictObject({
  id: z.int().positive().describe('Its number.'),
  calls: z.int().nonnegative().describe('Operations that it was asked about.'),
  hits: z.int().nonnegative().describe('How often it struck.'),
  rule: faultRule,
});

export type FaultState = z.output<typeof faultState>;

/** @throws FixtureError for a rule that makes no sense, a line for each reason */
export function checkFaultRule(rule: unknown): FaultRuleData {
  const checked = faultRule.safeParse(rule);
  if (!checked.success) throw new FixtureError(describeIssues(checked.error.issues, faultRule, rule));
  return checked.data;
}

export class FaultRules implements FileFaults, DeviceFaults {
  readonly #rules = new Map<number, FaultRule>();
  #lastId = 0;
  /** Rules by the files that they are about, as far as anybody used them. */
  #byNode = new WeakMap<KernfsNode, Map<FileOperation, readonly FaultRule[]>>();

  /** @param control directory of files that never fail */
  constructor(
    readonly core: DriverCore,
    readonly control: KernfsDir,
  ) {}

  get rules(): Iterable<FaultRule> {
    return this.#rules.values();
  }

  /**
   * @returns the rule's number
   * @throws FixtureError for a rule that makes no sense; ENOSPC when there are too many
   */
  add(rule: FaultRuleInput): number {
    const data = checkFaultRule(rule);
    if (this.#rules.size >= MOST_RULES) throw new KernelError(Errno.ENOSPC);
    const added = new FaultRule(++this.#lastId, data, this.core.clock);
    this.#rules.set(added.id, added);
    this.#changed();
    return added.id;
  }

  /** The rules with what became of them. */
  get state(): FaultState[] {
    return [...this.#rules.values()].map(({ id, calls, hits, data }) => ({ id, calls, hits, rule: data }));
  }

  /** Puts rules in the place of all others, with their numbers, which go on as they were. */
  putBack(state: readonly FaultState[]): void {
    this.#rules.clear();
    for (const { id, rule, ...counts } of state) {
      const added = new FaultRule(id, rule, this.core.clock);
      added.resume(counts);
      this.#rules.set(id, added);
      this.#lastId = Math.max(this.#lastId, id);
    }
    this.#changed();
  }

  /** @returns whether there was such a rule */
  clear(id: number): boolean {
    const found = this.#rules.delete(id);
    if (found) this.#changed();
    return found;
  }

  clearAll(): void {
    this.#rules.clear();
    this.#changed();
  }

  #changed(): void {
    this.#byNode = new WeakMap();
    const { core } = this;
    const live = [...this.#rules.values()].filter((rule) => !rule.isSpent);
    const forFiles = live.some(({ operations }) => ofFiles.some((operation) => operations.has(operation)));
    for (const root of this.#roots) {
      root.faults = forFiles ? this : undefined;
      for (const observer of root.observers) observer.faultsChanged?.();
    }
    core.faults = live.length > 0 ? this : undefined;
  }

  get #roots(): KernfsRoot[] {
    const { sysfs, devtmpfs } = this.core;
    return [sysfs.root, devtmpfs.root.root];
  }

  shouldFail(node: KernfsNode, operation: FileOperation): Fault | undefined {
    return this.#strike(this.#rulesFor(node, operation));
  }

  covers(node: KernfsNode, operation: FileOperation): boolean {
    return this.#rulesFor(node, operation).some((rule) => !rule.isSpent);
  }

  #rulesFor(node: KernfsNode, operation: FileOperation): readonly FaultRule[] {
    let byOperation = this.#byNode.get(node);
    if (!byOperation) {
      byOperation = new Map();
      this.#byNode.set(node, byOperation);
    }
    let rules = byOperation.get(operation);
    if (!rules) {
      const inDev = node.root === this.core.devtmpfs.root.root;
      const found = this.#isControl(node)
        ? NONE
        : [...this.#rules.values()].filter((rule) => rule.meansFile(node, operation, inDev));
      rules = found.length > 0 ? found : NONE;
      byOperation.set(operation, rules);
    }
    return rules;
  }

  #isControl(node: KernfsNode): boolean {
    for (let at = node.parent; at; at = at.parent) if (at === this.control) return true;
    return false;
  }

  probe(driver: DeviceDriver, device: Device): Fault | undefined {
    return this.#strike(this.#where((rule) => rule.meansDriver('probe', device, driver)));
  }

  remove(device: Device): Fault | undefined {
    return this.#strike(this.#where((rule) => rule.meansDriver('remove', device, device.driver)));
  }

  call(file: CharFile, call: DeviceCall): Fault | undefined {
    return this.#strike(this.#where((rule) => rule.meansCall(file, call)));
  }

  #where(means: (rule: FaultRule) => boolean): readonly FaultRule[] {
    return [...this.#rules.values()].filter(means);
  }

  #strike(rules: readonly FaultRule[]): Fault | undefined {
    for (const rule of rules) {
      const fault = rule.shouldFail();
      if (!fault) continue;
      if (rule.data.log !== undefined) this.core.log.print(rule.data.log);
      if (rule.isSpent) this.#changed();
      return fault;
    }
    return undefined;
  }
}
