/**
 * Counts and prints what a replay found: per file how much matched and each mismatch, at the end the totals
 * and the documented exceptions with what each one covered.
 * @module
 */

import { show } from './compare.js';
import { nodeExclusions, stepExceptions } from './exceptions.js';
import type { Transport } from './host.js';
import type { Case } from './recording.js';
import type { NodeResult } from './snapshot.js';
import type { StepResult } from './steps.js';
import type { UeventResult } from './uevents.js';

export interface Count {
  matched: number;
  /** Everything that can be checked: matched, excused and mismatched. */
  total: number;
  excused: number;
}

export type Unit = 'nodes' | 'steps' | 'events';

export interface ReportOptions {
  verbose: boolean;
  maxMismatches: number;
  print(line: string): void;
}

const empty = (): Count => ({ matched: 0, total: 0, excused: 0 });

export class Report {
  readonly totals: Record<Unit, Count> = { nodes: empty(), steps: empty(), events: empty() };
  readonly files = new Map<string, Count>();
  readonly #reasons = new Map<string, number>();
  readonly #comments = new Map<string, number>();
  readonly #notReplayed: string[] = [];
  #file = '';
  #printed = 0;

  constructor(
    readonly over: Transport,
    readonly options: ReportOptions,
  ) {}

  /** What neither matched nor was excused. */
  get mismatches(): number {
    return Object.values(this.totals).reduce(
      (sum, count) => sum + count.total - count.matched - count.excused,
      0,
    );
  }

  begin(file: string): void {
    this.#file = file;
    this.#printed = 0;
    this.files.set(file, empty());
  }

  steps(recording: Case, results: readonly StepResult[]): void {
    for (const result of results) {
      if (result.verdict === 'comment') {
        tally(this.#comments, result.reason ?? '');
        continue;
      }
      this.#count('steps', result.verdict);
      if (result.verdict === 'match') continue;
      const step = recording.steps[result.index];
      const where = `${recording.id} step ${result.index} ${step?.op} ${shortArgs(step?.args ?? step?.text)}`;
      const line = `${where}: expected ${result.expected}; got ${result.got}`;
      if (result.verdict === 'excused') {
        tally(this.#reasons, result.reason ?? '');
        if (this.options.verbose) this.options.print(`  excused: ${line}`);
      } else this.#mismatch(line);
    }
  }

  nodes(results: readonly NodeResult[]): void {
    for (const { path, verdict, differences, reason } of results) {
      if (reason) tally(this.#reasons, reason);
      if (verdict === 'excluded') continue;
      this.#count('nodes', verdict);
      for (const difference of differences) this.#mismatch(`${path} ${difference}`);
    }
  }

  events(results: readonly UeventResult[]): void {
    for (const { step, index, verdict, expected, got } of results) {
      this.#count('events', verdict);
      if (verdict === 'mismatch') this.#mismatch(`${step}, event ${index}: expected ${expected}; got ${got}`);
    }
  }

  notReplayed(what: string, reason: string): void {
    this.#notReplayed.push(`${what}: ${reason}`);
  }

  end(unit: Unit): void {
    const { print, maxMismatches } = this.options;
    if (this.#printed > maxMismatches) print(`  ... and ${this.#printed - maxMismatches} more`);
    print(`${this.#file}: ${showCount(this.files.get(this.#file) ?? empty(), unit)}`);
  }

  summary(): void {
    const { print } = this.options;
    print('');
    for (const unit of ['nodes', 'steps', 'events'] as const) print(showCount(this.totals[unit], unit));
    for (const line of this.#notReplayed) print(`not replayed: ${line}`);
    this.#list('not checked', this.#comments);

    const rules = [...stepExceptions, ...nodeExclusions].filter(({ over }) => over.includes(this.over));
    print(`${rules.length} documented exceptions over ${this.over}:`);
    for (const { reason } of rules)
      print(`  ${String(this.#reasons.get(reason) ?? 0).padStart(6)}  ${reason}`);
    print(this.mismatches === 0 ? 'no mismatches' : `${this.mismatches} mismatches`);
  }

  #list(title: string, reasons: ReadonlyMap<string, number>): void {
    for (const [reason, count] of reasons) this.options.print(`${title}: ${count} notes: ${reason}`);
  }

  #count(unit: Unit, verdict: 'match' | 'mismatch' | 'excused'): void {
    for (const count of [this.totals[unit], this.files.get(this.#file)]) {
      if (!count) continue;
      count.total++;
      if (verdict === 'match') count.matched++;
      if (verdict === 'excused') count.excused++;
    }
  }

  #mismatch(line: string): void {
    if (this.#printed++ < this.options.maxMismatches) this.options.print(`  ${line}`);
  }
}

function tally(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function showCount({ matched, total, excused }: Count, unit: Unit): string {
  const percent = total === 0 ? '' : `, ${((100 * matched) / total).toFixed(2)} %`;
  return `${matched} of ${total} ${unit}${percent}${excused > 0 ? `, ${excused} excused` : ''}`;
}

/** Arguments in one line, with the longest paths of the recordings abbreviated. */
function shortArgs(args: unknown): string {
  return show(args, 200)
    .replaceAll('/mdev_supported_types/', '/…/')
    .replaceAll('/sys/devices/virtual/', '/…/')
    .replaceAll('83b8f4f2-509f-382f-3c1e-e6bfe0fa', 'UUID-');
}
