/**
 * What a described machine shows and a tree does not, or the other way round, as nodes of the fixture: with the device
 * they belong to where there is one, in `nodes` where they come beside the rest, in `overrides` where they change what
 * the machine has by itself.
 * @module
 */

import type { FixtureInput } from './fixture.js';
import type { RawNode, RawNodeEntry } from './fixture-node.js';
import { rawEntry, rawFile } from './snapshot-node.js';
import { parentOf, type Tree } from './tree.js';
import type { Difference } from './tree-diff.js';

type Nodes = Record<string, RawNodeEntry>;

/** What goes on by itself; it would stand still in a fixture. */
const MOVING =
  /\/power\/runtime_(active|suspended)_time$|\/(available_instances|refcnt)$|^\/sys\/kernel\/uevent_seqnum$/;
/** What a function has only once it has a driver, which is after its nodes. */
const OF_DRIVER = /^(driver|msi_irqs)(\/|$)/;

export const isMoving = ({ path, is, wanted }: Difference) =>
  is !== undefined && wanted !== undefined && MOVING.test(path);

export interface Owner {
  nodes?: Nodes | undefined;
}

export interface ResiduePlaces {
  fixture: FixtureInput;
  /** Devices that have nodes, by path. */
  owners: ReadonlyMap<string, Owner>;
  /** The machine before modules are loaded and mediated devices made. */
  bare: Tree;
}

/** @returns differences that cannot be put into a fixture */
export function addResidue(differences: readonly Difference[], places: ResiduePlaces): Difference[] {
  return differences.filter((difference) => {
    if (isMoving(difference)) return false;
    const entry = entryOf(difference);
    if (entry === undefined) return true;
    place(difference, entry, places);
    return false;
  });
}

function entryOf({ path, is, wanted }: Difference): RawNodeEntry | undefined {
  if (!wanted) return null;
  if (is?.kind === 'dir' && wanted.kind === 'dir') {
    return { mode: `0${wanted.mode.toString(8).padStart(3, '0')}`, entries: {} };
  }
  return is?.kind === 'file' && wanted.kind === 'file' ? rawFile(wanted, is) : rawEntry(path, wanted);
}

function place(
  { path, is }: Difference,
  entry: RawNodeEntry,
  { fixture, owners, bare }: ResiduePlaces,
): void {
  const owner = ownerOf(path, owners);
  // Later parts of the boot must not find it in their way, and what they make cannot be replaced before.
  const isEarly = is === undefined ? bare.dir(parentOf(path)) !== undefined : bare.has(path);
  const relative = owner && path.slice(owner.length + 1);
  if (isEarly && relative !== undefined && !OF_DRIVER.test(relative) && !hasPlaces(entry)) {
    const device = owners.get(owner!)!;
    device.nodes ??= {};
    putAt(device.nodes, relative.split('/'), entry);
  } else if (isEarly && is === undefined) {
    fixture.nodes ??= {};
    fixture.nodes[path] = entry;
  } else {
    fixture.overrides ??= {};
    fixture.overrides[path] = entry;
  }
}

/** Whether texts would be taken for ones with places to fill in. */
const hasPlaces = (entry: RawNodeEntry) => /\{(name|ifindex)\}/.test(JSON.stringify(entry));

function ownerOf(path: string, owners: ReadonlyMap<string, Owner>): string | undefined {
  for (let at = parentOf(path); at.length > '/sys'.length; at = parentOf(at)) if (owners.has(at)) return at;
  return undefined;
}

/** Puts a node below directories, of which each is an entry of the one before. */
function putAt(nodes: Nodes, [name, ...rest]: string[], entry: RawNodeEntry): void {
  if (rest.length === 0) {
    nodes[name!] = entry;
    return;
  }
  nodes[name!] ??= { entries: {} };
  const dir = nodes[name!] as RawNode;
  dir.entries ??= {};
  putAt(dir.entries, rest, entry);
}
