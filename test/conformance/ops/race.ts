/**
 * Notes that sum up a race: eight writers at once, many times over. Who wins differs from run to run, so what
 * is compared is what no run may get wrong: one creator wins each round, the others find the device there,
 * and afterwards it is gone for each remover.
 * @module
 */

import { errnoOf, nameOfErrno } from '../errno-names.js';
import { O_WRONLY } from '../flags.js';
import type { Step } from '../recording.js';
import { NothingToCheck, type Run } from '../run.js';
import { sampleTypes } from '../unrecorded.js';

const RACERS = 8;
const CREATE = `${sampleTypes.mtty}/create`;
const uuid = (n: number): string => `83b8f4f2-509f-382f-3c1e-e6bfe0fa10${n.toString(16).padStart(2, '0')}`;
const removeOf = (device: string): string => `/sys/devices/virtual/mtty/mtty/${device}/remove`;

/** A write on a descriptor of its own, in a thread of its own where there are threads. */
async function write(run: Run, fd: number, data: string): Promise<string> {
  const bytes = Buffer.from(data);
  try {
    await (run.sys.writeLater ? run.sys.writeLater(fd, bytes) : run.sys.write(fd, bytes));
    return 'OK';
  } catch (error) {
    return nameOfErrno(errnoOf(error) ?? 0);
  }
}

async function together(run: Run, path: string, data: string): Promise<string[]> {
  const fds = Array.from({ length: RACERS }, () => run.sys.open(path, O_WRONLY));
  const results = await Promise.all(fds.map((fd) => write(run, fd, data)));
  for (const fd of fds) run.sys.close(fd);
  return results;
}

function count(results: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const result of results) counts[result] = (counts[result] ?? 0) + 1;
  return counts;
}

export async function raceNote(run: Run, step: Step): Promise<Record<string, unknown>> {
  if (step.winners_per_round) return sameDevice(run, step);
  if (step.errors) return distinctDevices(run);
  throw new NothingToCheck('counts of a race, other ones in each run');
}

/** Each round: eight create one device, then eight remove it through descriptors that were open before. */
async function sameDevice(run: Run, step: Step): Promise<Record<string, unknown>> {
  const rounds = (step.winners_per_round as number[]).length;
  const winners: number[] = [];
  const creates: string[] = [];
  const removes: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const created = await together(run, CREATE, uuid(0));
    winners.push(created.filter((result) => result === 'OK').length);
    creates.push(...created);
    removes.push(...(await together(run, removeOf(uuid(0)), '1')));
  }
  // One remover wins, but another that is already inside may be told that it did: the split is left open.
  const allowed = removes.every((result) => result === 'OK' || result === 'ENODEV');
  const enough = removes.filter((result) => result === 'OK').length >= rounds;
  return {
    winners_per_round: winners,
    create_results: count(creates),
    remove_results: allowed && enough ? step.remove_results : count(removes),
  };
}

/** Eight at once, each with a device of its own, created and removed ten times. */
async function distinctDevices(run: Run): Promise<Record<string, unknown>> {
  const errors: string[] = [];
  const racer = async (device: string): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) {
      for (const [path, data] of [
        [CREATE, device],
        [removeOf(device), '1'],
      ] as const) {
        const fd = run.sys.open(path, O_WRONLY);
        const result = await write(run, fd, data);
        if (result !== 'OK') errors.push(`${path}: ${result}`);
        run.sys.close(fd);
      }
    }
  };
  await Promise.all(Array.from({ length: RACERS }, (_, n) => racer(uuid(n))));
  return { errors };
}
