/**
 * Recorded uevents: for each action of a recording the messages that it caused, with their variables in order
 * and their numbers in sequence. The first number of a recording counts what happened since boot, so numbers
 * are compared from there on.
 * @module
 */

import { readFileSync } from 'node:fs';
import { asleep } from '../../src/lib/sleep.js';
import { show } from './compare.js';
import { type Action, echo, inTurn, load, unload } from './family.js';
import { type RecordingFile, readLines, type UeventStep } from './recording.js';
import type { System } from './steps.js';
import { sampleTypes } from './unrecorded.js';
import { shellAction, vgpuModules } from './vgpu.js';

export interface UeventResult {
  /** Title of the recorded action. */
  step: string;
  index: number;
  verdict: 'match' | 'mismatch';
  expected: string;
  got: string;
}

export interface UeventRecording {
  steps: UeventStep[];
  /** What has happened before the recording begins. */
  before: Action;
  actionOf(step: UeventStep): Action | undefined;
}

export function readUevents(file: RecordingFile): UeventRecording {
  if (file.path.endsWith('.txt')) {
    return {
      steps: parseTranscript(readFileSync(file.path, 'utf8')),
      before: inTurn(vgpuModules.map(load)),
      actionOf: ({ step }) => shellAction(step),
    };
  }
  const steps = readLines<UeventStep>(file.path);
  const driver = steps.map(({ step }) => /^insmod (\w+)$/.exec(step)?.[1]).find(Boolean) ?? 'mtty';
  return { steps, before: inTurn([]), actionOf: ({ step }) => driverAction(driver, steps, step) };
}

/** Blocks of `=== COMMAND (N events)`, each followed by its messages as `RAW b'...'`. */
export function parseTranscript(text: string): UeventStep[] {
  const steps: UeventStep[] = [];
  for (const line of text.split('\n')) {
    const title = /^=== (.*) \(\d+ events\)$/.exec(line)?.[1];
    if (title !== undefined) steps.push({ step: title, events: [] });
    const raw = /^RAW b(['"])(.*)\1$/.exec(line)?.[2];
    if (raw !== undefined) {
      const message = raw.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
      steps.at(-1)?.events.push(message.split('\0').slice(0, -1));
    }
  }
  return steps;
}

/** The action of a sample driver's recording, from its title. */
function driverAction(driver: string, steps: readonly UeventStep[], title: string): Action | undefined {
  const created = steps.flatMap(({ step }) => {
    const [, type, uuid] = /^create (\S+) ([0-9a-f-]{36})$/.exec(step) ?? [];
    return type && uuid ? [{ uuid, path: `${parentOf(driver)}/mdev_supported_types/${type}/create` }] : [];
  });
  const [first, second] = created;
  if (!first || !second) return undefined;
  const files = `/sys/bus/mdev/drivers/${driver}`;
  const device = `/sys/bus/mdev/devices/${first.uuid}`;
  const rules: readonly [RegExp, (match: string) => Action][] = [
    [/^insmod (\w+)(?:\.ko)?$/, load],
    [/^rmmod (\w+)/, unload],
    [/^create \S+ ([0-9a-f-]{36})$/, (uuid) => echo(uuid, created.find((mdev) => mdev.uuid === uuid)!.path)],
    [/^create duplicate$/, () => echo(first.uuid, first.path)],
    [
      /^create for rmmod (\d)$/,
      (n) => (n === '1' ? echo(first.uuid, first.path) : echo(second.uuid, second.path)),
    ],
    [/^driver bind$/, () => echo(second.uuid, `${files}/bind`)],
    [/^driver bind again/, () => echo(first.uuid, `${files}/bind`)],
    [/^(?:driver unbind|unbind again)$/, () => echo(second.uuid, `${files}/unbind`)],
    [/^drivers_probe$/, () => echo(second.uuid, '/sys/bus/mdev/drivers_probe')],
    [/^mdev uevent write '(.*)'$/, (text) => echo(text, `${device}/uevent`)],
    [/^parent uevent write (.*)$/, (text) => echo(text, `${parentOf(driver)}/uevent`)],
    [/^class uevent write (.*)$/, (text) => echo(text, `/sys/class/${driver}/uevent`)],
    [/^bus uevent write (.*)$/, (text) => echo(text, '/sys/bus/mdev/uevent')],
    [/^driver uevent write (.*)$/, (text) => echo(text, `${files}/uevent`)],
    [/^module uevent write (.*)$/, (text) => echo(text, `/sys/module/${driver}/uevent`)],
    [/^remove (?:unbound )?([0-9a-f-]{36})$/, (uuid) => echo('1', `/sys/bus/mdev/devices/${uuid}/remove`)],
  ];
  for (const [pattern, action] of rules) {
    const match = pattern.exec(title);
    if (match) return action(match[1] ?? '');
  }
  return undefined;
}

const parentOf = (driver: string): string =>
  (sampleTypes[driver] ?? `/sys/devices/virtual/${driver}/${driver}/`).replace(
    /\/mdev_supported_types.*|\/$/,
    '',
  );

const SEQNUM = /^SEQNUM=(\d+)$/;

export async function replayUevents(system: System, recording: UeventRecording): Promise<UeventResult[]> {
  const results: UeventResult[] = [];
  let offset: number | undefined;
  await recording.before(system);
  system.host.takeUevents();
  for (const step of recording.steps) {
    const done = recording.actionOf(step)?.(system);
    if (asleep(done)) await done;
    const got = system.host.takeUevents() ?? [];
    for (let index = 0; index < Math.max(step.events.length, got.length); index++) {
      const expected = step.events[index];
      if (expected && got[index]) offset ??= numberOf(expected) - numberOf(got[index]);
      const shifted = got[index]?.map((line) => shift(line, offset ?? 0));
      const verdict = show(expected, Infinity) === show(shifted, Infinity) ? 'match' : 'mismatch';
      results.push({ step: step.step, index, verdict, expected: describe(expected), got: describe(shifted) });
    }
  }
  return results;
}

const numberOf = (event: readonly string[] | undefined): number =>
  Number(event?.map((line) => SEQNUM.exec(line)?.[1]).find(Boolean) ?? 0);

const shift = (line: string, by: number): string =>
  line.replace(SEQNUM, (_, number: string) => `SEQNUM=${Number(number) + by}`);

const describe = (event: readonly string[] | undefined): string => (event ? event.join(' ') : 'no event');
