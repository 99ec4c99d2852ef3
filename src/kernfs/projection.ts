/**
 * Directories that follow a collection of the model: one entry for each member, made when somebody looks at it. The
 * collection is the only list there is, so a directory nobody reads costs nothing per member. Whoever changes the
 * collection tells the directory (`entryAdded`, `entryRemoved`).
 * @module
 */

import { KernfsLink } from './link.js';
import type { KernfsNode, KernfsRoot } from './node.js';
import type { KernfsTemplate } from './template.js';

/** What a projection needs to know of a collection: a map by name, or something that looks like one. */
export interface Members<T> {
  readonly size: number;
  get(name: string): T | undefined;
  has(name: string): boolean;
  keys(): Iterable<string>;
}

export class Projection<T> implements KernfsTemplate {
  /**
   * @param members what the directory lists
   * @param make the node of a member
   * @param areDirectories whether the members count as subdirectories
   */
  constructor(
    readonly members: Members<T>,
    readonly makeNode: (root: KernfsRoot, name: string, member: T) => KernfsNode,
    readonly areDirectories = false,
  ) {}

  names(): Iterable<string> {
    return this.members.keys();
  }

  has(name: string): boolean {
    return this.members.has(name);
  }

  make(root: KernfsRoot, name: string): KernfsNode | undefined {
    const member = this.members.get(name);
    return member === undefined ? undefined : this.makeNode(root, name, member);
  }

  directories(): number {
    return this.areDirectories ? this.members.size : 0;
  }
}

/** A projection as links to where each member has its directory. */
export function linksTo<T extends { readonly dir: KernfsNode }>(members: Members<T>): Projection<T> {
  return new Projection(members, (root, name, member) => new KernfsLink(root, name, member.dir));
}

/** Links of an owner that are there while they have a target. */
export class LinkTemplate<T> implements KernfsTemplate {
  readonly #links: ReadonlyMap<string, (owner: T) => KernfsNode | undefined>;

  /** @param links name and target; undefined while the link is not there */
  constructor(links: Record<string, (owner: T) => KernfsNode | undefined>) {
    this.#links = new Map(Object.entries(links));
  }

  names(owner: unknown): Iterable<string> {
    return [...this.#links.keys()].filter((name) => this.has(name, owner));
  }

  has(name: string, owner: unknown): boolean {
    return this.#links.get(name)?.(owner as T) !== undefined;
  }

  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined {
    const target = this.#links.get(name)?.(owner as T);
    return target && new KernfsLink(root, name, target);
  }

  directories(): number {
    return 0;
  }
}
