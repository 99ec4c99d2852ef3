/**
 * Carries out the steps of a recorded case, one system call after the other, and compares every result with
 * the recorded one.
 * @module
 */

import { after, asleep, type Sleeps } from '../../src/lib/sleep.js';
import { difference, type Outcome, sameOutcome, sameValue, show, showOutcome } from './compare.js';
import { Unrecoverable } from './data.js';
import { errnoOf, nameOfErrno } from './errno-names.js';
import { namesDev, namesPciDriver, type StepContext, stepException } from './exceptions.js';
import type { Host, Transport } from './host.js';
import { descriptorOperations } from './ops/descriptors.js';
import { ioctlOperations } from './ops/ioctl.js';
import { metadataOperations } from './ops/metadata.js';
import { note, recordedNote } from './ops/notes.js';
import { FailedAt, FailedWithOut, type Operands, type Operations, WithOut } from './ops/operation.js';
import { pathOperations } from './ops/paths.js';
import { vfioOperations } from './ops/vfio.js';
import { nextUuid, vfsOperations } from './ops/vfs.js';
import { waitOperations } from './ops/wait.js';
import type { Case, Step } from './recording.js';
import { NoDescriptor, NothingToCheck, Run } from './run.js';
import { type Sys, Unsupported } from './sys.js';
import { UnboundDevices } from './unbound.js';
import { unrecorded } from './unrecorded.js';
import { quietly } from './unseen.js';

const operations: Operations = {
  ...descriptorOperations,
  ...pathOperations,
  ...metadataOperations,
  ...vfsOperations,
  ...ioctlOperations,
  ...vfioOperations,
  ...waitOperations,
  note,
};

/** How long a step may sleep: removal of a device that the case itself keeps open never ends. */
const STEP_TIMEOUT = 5000;

export type Verdict = 'match' | 'mismatch' | 'excused' | 'comment';

export interface StepResult {
  index: number;
  verdict: Verdict;
  /** For a mismatch or an excuse: what was recorded and what came. */
  expected?: string;
  got?: string;
  /** Why a step was excused, or what there is no way to check. */
  reason?: string;
}

export interface System {
  sys: Sys;
  host: Host;
  over: Transport;
}

export async function replayCase({ sys, host, over }: System, recording: Case): Promise<StepResult[]> {
  const run = new Run(sys, host, recording);
  const before = unrecorded(recording);
  const results: StepResult[] = [];
  const context: StepContext = {
    withoutDev: false,
    withoutDriver: false,
    mapped: false,
    unbound: undefined,
  };
  const unbound = new UnboundDevices();
  const child = new Set<string>();
  host.takeUevents();
  host.takeLog();
  try {
    for (const [index, step] of recording.steps.entries()) {
      for (const action of before.get(index) ?? []) {
        run.listen();
        const done = quietly(run, action, context);
        if (asleep(done)) await done;
        run.listen(false);
      }
      if (step.as_uid === undefined) {
        run.endChild(child);
        child.clear();
      } else if (step.op === 'open' && typeof step.ret === 'string') child.add(step.ret);
      const result = carryOut(run, step);
      // What a step without a name was about is known when it has begun.
      const file = (step.args as Record<string, unknown> | null)?.fd ?? run.recent;
      context.mapped = run.mapping !== undefined;
      context.unbound = unbound.has(file) ? 'this file' : unbound.size > 0 ? 'another file' : undefined;
      const outcome = asleep(result) ? await result : result;
      if (step.tag === 'setup') run.listen(false);
      const judged = judge(step, index, outcome);
      if (judged.verdict === 'mismatch' && !(outcome instanceof NothingToCheck)) {
        const excuse = stepException(over, step, outcome, context);
        if (excuse) {
          judged.verdict = 'excused';
          judged.reason = excuse.reason;
          context.withoutDev ||= namesDev(step);
          context.withoutDriver ||= namesPciDriver(step);
          insteadOf(run, step);
        }
      }
      if (!(outcome instanceof NothingToCheck)) unbound.after(step, file, outcome);
      results.push(judged);
    }
  } finally {
    run.end();
  }
  return results;
}

/** Does in another way what an excused step was to do and what the following ones count on. */
function insteadOf(run: Run, step: Step): void {
  if (step.op.endsWith('->create') && step.ret !== undefined) run.sys.write(run.fd(), nextUuid(run));
}

function carryOut(run: Run, step: Step): Sleeps<Outcome | NothingToCheck> {
  const args = step.args ?? {};
  const operands: Operands = {
    step,
    args: Array.isArray(args) ? {} : (args as Record<string, unknown>),
    list: Array.isArray(args) ? args : [],
  };
  const failed = (error: unknown): Outcome | NothingToCheck => outcomeOf(error);
  if (step.exc !== undefined) return new NothingToCheck('the recorder could not make this call');
  const operation = operations[step.op] ?? operations[step.op.replace(/ \d+$/, '')];
  if (!operation) return { unsupported: `the replayer does not know ${step.op}` };
  try {
    const body = (): Sleeps<unknown> => operation(run, operands);
    const result = step.as_uid === undefined ? body() : asUser(run, step, step.as_uid, body);
    const done = after(result, (ret) => succeeded(run, operands, ret));
    return asleep(done) ? orTimeout(done.catch(failed)) : done;
  } catch (error) {
    return failed(error);
  }
}

/** The recorder's `as_uid` steps ran in a child process: for what depends on its memory, there is one here too. */
function asUser<T>(run: Run, step: Step, uid: number, body: () => T): T {
  if (uid !== 0 || step.op !== 'ioctl' || !run.sys.fork) return run.sys.asUser(uid, body);
  const child = run.sys.fork();
  try {
    return child.run(body);
  } finally {
    child.exit();
  }
}

function succeeded(run: Run, { step, args }: Operands, ret: unknown): Outcome {
  if (step.op === 'echo' && String(args.path).endsWith('/create')) {
    const data = args.data as { s?: string } | undefined;
    run.created = data?.s?.slice(0, 36).toLowerCase();
  }
  if (!(ret instanceof WithOut)) return { ret };
  return ret.out ? { ret: ret.ret, out: ret.out } : { ret: ret.ret };
}

function outcomeOf(error: unknown): Outcome | NothingToCheck {
  if (error instanceof FailedAt) {
    const inner = outcomeOf(error.error);
    return inner instanceof NothingToCheck ? inner : { ...inner, at: error.at };
  }
  if (error instanceof FailedWithOut) {
    const inner = outcomeOf(error.error);
    return inner instanceof NothingToCheck || !error.out ? inner : { ...inner, out: error.out };
  }
  if (error instanceof NothingToCheck) return error;
  if (error instanceof Unrecoverable) return new NothingToCheck(error.message);
  if (error instanceof Unsupported || error instanceof NoDescriptor) return { unsupported: error.message };
  const errno = errnoOf(error);
  if (errno !== undefined) return { errno: nameOfErrno(errno) };
  return { unsupported: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function orTimeout(result: Promise<Outcome | NothingToCheck>): Promise<Outcome | NothingToCheck> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ unsupported: `asleep after ${STEP_TIMEOUT} ms` }), STEP_TIMEOUT);
  });
  return Promise.race([result, late]).finally(() => clearTimeout(timer));
}

function judge(step: Step, index: number, outcome: Outcome | NothingToCheck): StepResult {
  if (outcome instanceof NothingToCheck) return { index, verdict: 'comment', reason: outcome.message };
  if (step.op === 'note') return judgeNote(step, index, outcome);
  const recorded: Outcome = { ret: step.ret };
  if (step.errno !== undefined) recorded.errno = step.errno;
  if (step.at !== undefined) recorded.at = step.at;
  if (!sameOutcome(recorded, outcome)) {
    return { index, verdict: 'mismatch', expected: showOutcome(recorded), got: showOutcome(outcome) };
  }
  if (outcome.out) {
    // A structure that was not recorded again was not changed.
    const expected = String(step.out ?? (step.args as Record<string, unknown>).in);
    const got = Buffer.from(outcome.out).toString('hex');
    if (got !== expected)
      return { index, verdict: 'mismatch', expected: `out ${expected}`, got: `out ${got}` };
  }
  return { index, verdict: 'match' };
}

function judgeNote(step: Step, index: number, outcome: Outcome): StepResult {
  const recorded = recordedNote(step);
  if (outcome.unsupported === undefined && sameValue(recorded, outcome.ret))
    return { index, verdict: 'match' };
  const got =
    outcome.ret === undefined
      ? showOutcome(outcome)
      : (difference(recorded, outcome.ret) ?? show(outcome.ret));
  return { index, verdict: 'mismatch', expected: show(recorded), got };
}
