/**
 * Snapshots in families: one run of a machine, stopped at numbered states. Here are the actions that lead
 * from each state to the next; a family is replayed in one go, whichever of its states were recorded.
 * @module
 */

import { basename } from 'node:path';
import { after, type Sleeps } from '../../src/lib/sleep.js';
import { O_WRONLY } from './flags.js';
import { writeFile } from './ops/operation.js';
import type { RecordingFile, Snapshot } from './recording.js';
import type { System } from './steps.js';

export type Action = (system: System) => Sleeps<unknown>;

export interface Family {
  /** Driver or topic, as the files' names begin. */
  name: string;
  profile: RecordingFile['profile'];
  /** Files by state number. */
  states: Map<number, RecordingFile>;
}

/** Sorts snapshot files into families by name: `FAMILY-NN-what.json`. */
export function families(files: readonly RecordingFile[]): Family[] {
  const found = new Map<string, Family>();
  for (const file of files) {
    const [, name, state] = /^(.+?)-(\d\d)\b/.exec(basename(file.path)) ?? [];
    if (name === undefined) continue;
    const key = `${file.profile} ${name}`;
    const family = found.get(key) ?? { name, profile: file.profile, states: new Map() };
    family.states.set(Number(state), file);
    found.set(key, family);
  }
  return [...found.values()];
}

export const load =
  (name: string): Action =>
  ({ host }) =>
    host.loadModule(name, []);

export const unload =
  (name: string): Action =>
  ({ host }) =>
    host.unloadModule(name);

/** A write that may fail: refused ones are part of what was recorded. */
export const echo =
  (text: string, path: string): Action =>
  ({ sys }) => {
    try {
      return swallow(writeFile(sys, path, O_WRONLY, Buffer.from(text)));
    } catch {
      return undefined;
    }
  };

const swallow = (result: Sleeps<number>): Sleeps<unknown> =>
  result instanceof Promise ? result.catch(() => undefined) : result;

/** Does the actions in turn. */
export function inTurn(actions: readonly Action[]): Action {
  return (system) => {
    const next = (index: number): Sleeps<unknown> => {
      const action = actions[index];
      return action ? after(action(system), () => next(index + 1)) : undefined;
    };
    return next(0);
  };
}

interface Mdev {
  uuid: string;
  parent: string;
  type: string;
}

/** The devices of a snapshot below /sys/devices/virtual, as its mdev_type links tell. */
function mdevsOf(snapshot: Snapshot | undefined): Mdev[] {
  return Object.entries(snapshot?.nodes ?? {}).flatMap(([path, node]) => {
    const [, parent, uuid] = /^(\/sys\/devices\/.+)\/([0-9a-f-]{36})\/mdev_type$/.exec(path) ?? [];
    const type = node.target?.split('/').at(-1);
    return parent && uuid && type ? [{ uuid, parent, type }] : [];
  });
}

const create = ({ uuid, parent, type }: Mdev): Action =>
  echo(uuid, `${parent}/mdev_supported_types/${type}/create`);
const remove = ({ uuid }: Mdev): Action => echo('1', `/sys/bus/mdev/devices/${uuid}/remove`);

/**
 * The life of a sample driver, states 00 to 10: what is done before each.
 * @param snapshot reads the snapshot of a state, if it was recorded
 */
export function driverStates(
  driver: string,
  snapshot: (state: number) => Snapshot | undefined,
  profile: string,
): Action[] {
  const core = ['iommufd', 'vfio', 'vfio_iommu_type1', 'mdev'].filter(
    (name) => profile !== 'deblike' || name !== 'iommufd',
  );
  const [first] = mdevsOf(snapshot(3));
  const second = mdevsOf(snapshot(4)).find(({ uuid }) => uuid !== first?.uuid);
  const both = [first, second].filter((mdev) => mdev !== undefined);
  const files = `/sys/bus/mdev/drivers/${driver}`;
  const ofSecond = (action: (mdev: Mdev) => Action): Action => inTurn(second ? [action(second)] : []);
  return [
    inTurn([]),
    inTurn(core.map(load)),
    load(driver),
    inTurn(first ? [create(first)] : []),
    ofSecond(create),
    ofSecond(({ uuid }) => echo(uuid, `${files}/unbind`)),
    ofSecond(({ uuid }) => inTurn([echo(uuid, `${files}/bind`), echo(uuid, '/sys/bus/mdev/drivers_probe')])),
    inTurn(first ? [remove(first)] : []),
    ofSecond(remove),
    inTurn([...both.map(create), unload(driver)]),
    inTurn([...core].reverse().map(unload)),
  ];
}
