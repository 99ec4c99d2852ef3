/**
 * Where the directories of devices stand (drivers/base/core.c `get_device_parent`): below their parent, in a
 * directory named after their class where the parent has none (a glue directory), or below devices/virtual.
 * Directories follow the lists of children and are made when somebody looks.
 * @module
 */

import { KernfsDir } from '../kernfs/dir.js';
import type { KernfsNode, KernfsRoot } from '../kernfs/node.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import {
  type Roster,
  rosterGet,
  rosterMembers,
  rosterSize,
  rosterWith,
  rosterWithout,
} from '../lib/roster.js';

/** What a list of children needs to know of a device. */
interface Child {
  readonly name: string;
  makeDir(root: KernfsRoot): KernfsDir;
}

/** Something that has devices below it. */
export interface Nest {
  children: Roster<Child | GlueDir>;
  /** Its directory, if anybody has looked at it. */
  readonly made: KernfsDir | undefined;
}

/** A directory between a device and its children of one class; it lives as long as it has entries. */
export class GlueDir implements Nest {
  children: Roster<Child | GlueDir> = undefined;
  made: KernfsDir | undefined = undefined;

  constructor(readonly name: string) {}

  makeDir(root: KernfsRoot): KernfsDir {
    this.made = new KernfsDir(root, this.name, this);
    this.made.addTemplate(childrenTemplate);
    return this.made;
  }
}

/** The entries of a nest: its children, all of them directories. */
export const childrenTemplate: KernfsTemplate = {
  *names(owner: unknown): Iterable<string> {
    for (const { name } of rosterMembers((owner as Nest).children)) yield name;
  },
  has: (name, owner) => rosterGet((owner as Nest).children, name) !== undefined,
  make: (root, name, owner): KernfsNode | undefined =>
    rosterGet((owner as Nest).children, name)?.makeDir(root),
  directories: (owner) => rosterSize((owner as Nest).children),
};

export function addChild(nest: Nest, child: Child | GlueDir): void {
  nest.children = rosterWith(nest.children, child);
  nest.made?.entryAdded(child.name);
}

export function removeChild(nest: Nest, child: Child | GlueDir): void {
  nest.children = rosterWithout(nest.children, child.name);
  nest.made?.entryRemoved(child.name);
}

/** The glue directory of a class in a nest, if there is one. */
export function glueOf(nest: Nest, className: string): GlueDir | undefined {
  const child = rosterGet(nest.children, className);
  return child instanceof GlueDir ? child : undefined;
}

/** Removes a glue directory that has lost its last entry. */
export function removeIfEmpty(nest: Nest, glue: GlueDir): void {
  if (rosterSize(glue.children) === 0) removeChild(nest, glue);
}
