/**
 * A daemon that keeps its state in a file is killed while four clients create, unbind and remove. Right: the next one
 * shows of each device the state that was acknowledged last, or that which was being made just then; group numbers are
 * different; nothing is left beside the state file but its lock.
 * @module
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from '../../bench/child.js';
import { random } from '../../random.js';
import type { Client } from '../client.js';
import { script } from '../devices.js';
import { MountPlace } from '../mount-place.js';
import type { Context, Figures, Scenario } from '../scenario.js';
import { scratchFolder, subfolder } from '../scratch.js';

const SLOTS = 24;
const WRITERS = 4;
const KILLS = { brief: 3, long: 1000 };
const WORK_MS = 1200;
const END_MS = 10_000;

/** Of each slot, what it may be. */
type States = Map<number, Set<string>>;

const uuidOf = (slot: number): string => `7042e000-0000-4000-9000-${slot.toString(16).padStart(12, '0')}`;

/** What the tree shows, and the group of each device that has one. */
async function look(place: MountPlace): Promise<{ states: Map<number, string>; groups: string[] }> {
  const each = `for d in bus/mdev/devices/*; do [ -L "$d" ] || continue
    s=unbound; [ -L "$d/driver" ] && s=bound
    echo "$(basename "$d") $s $(readlink "$d/iommu_group" || echo none)"; done`;
  const lines = (await script(place, each)).split('\n').filter((line) => line !== '');
  const found = new Map(lines.map((line) => line.split(' ') as [string, string]));
  const states = new Map(
    Array.from({ length: SLOTS }, (_, slot) => [slot, found.get(uuidOf(slot)) ?? 'gone']),
  );
  return { states, groups: lines.map((line) => line.split(' ')[2]!).filter((group) => group !== 'none') };
}

/** What writers said: the last that was acknowledged, and after it what was tried. */
function heed(writer: Client, states: States): void {
  for (const line of writer.said) {
    const [word, slot, state] = line.split(' ') as [string, string, string];
    if (word === 'done') states.set(Number(slot), new Set([state]));
    else states.get(Number(slot))!.add(state);
  }
}

async function write(context: Context, place: MountPlace, states: States, kill: number): Promise<Client[]> {
  const program = await context.programs.path('acknowledged');
  const writers: Client[] = [];
  for (let number = 0; number < WRITERS; number++) {
    const own = [...states].filter(([slot]) => slot % WRITERS === number);
    const words = own.map(([slot, [state]]) => `${slot}=${state}`);
    const seed = String(context.seed * 10_000 + kill * WRITERS + number);
    writers.push(await place.start([program, place.sys, seed, ...words], { as: `writer ${number}` }));
  }
  context.scope.defer(() => {
    for (const writer of writers) writer.kill();
  });
  return writers;
}

/** Compares what a new daemon shows with what may be. */
async function compare(place: MountPlace, states: States, figures: Figures): Promise<void> {
  const { states: found, groups } = await look(place);
  for (const [slot, state] of found) {
    if (!states.get(slot)!.has(state)) {
      figures.stale++;
      figures.wrong.push(`device ${slot} is ${state}, not ${[...states.get(slot)!].join(' or ')}`);
    }
    states.set(slot, new Set([state]));
  }
  if (new Set(groups).size !== groups.length)
    figures.wrong.push(`two devices in one group: ${groups.join(' ')}`);
}

const scenario: Scenario = {
  name: 'what a client was told is done outlives kill -9 of the daemon',
  async run(context, figures) {
    const { brief, scope, seed, seconds } = context;
    const folder = scratchFolder(scope);
    const [sys, dev, kept] = ['sys', 'dev', 'kept'].map((name) => subfolder(folder, name)) as [
      string,
      string,
      string,
    ];
    const state = join(kept, 'state.json');
    const states: States = new Map(Array.from({ length: SLOTS }, (_, slot) => [slot, new Set(['gone'])]));
    const roll = random(seed);
    const late = performance.now() + seconds * 1000;
    for (let kill = 0; kill < (brief ? KILLS.brief : KILLS.long); kill++) {
      if (!brief && performance.now() > late) break;
      const place = await MountPlace.at(scope, folder, sys, dev, { state });
      await compare(place, states, figures);
      const writers = await write(context, place, states, kill);
      await pause(roll(WORK_MS));
      process.kill(place.daemon, 'SIGKILL');
      figures.kills++;
      for (const writer of writers) {
        await writer.count(figures, END_MS);
        heed(writer, states);
      }
      // In half of the cases the next one finds the mount of the dead one.
      if (roll(2) === 0 || figures.hung > 0) await place.end();
      if (figures.hung > 0) return;
    }
    const place = await MountPlace.at(scope, folder, sys, dev, { state });
    await compare(place, states, figures);
    await place.end();
    const left = readdirSync(kept).filter((name) => !['state.json', 'state.json.lock'].includes(name));
    if (left.length > 0) figures.wrong.push(`left beside the state file: ${left.join(', ')}`);
  },
};

export default scenario;
