/**
 * A kernfs directory (fs/kernfs/dir.c): entries found by name, listed by name hash.
 *
 * Entries are of two kinds. Children are nodes that were added one by one. Templates describe entries that
 * many directories have in common (the attributes of every device, say); their nodes are made when somebody
 * first looks at them, so that a device nobody looks at costs next to nothing.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { END_OF_DIRECTORY, FIRST_HASH, kernfsNameHash } from './hash.js';
import { KernfsLink } from './link.js';
import { KernfsNode, type KernfsRoot, S_IFDIR, S_IFMT } from './node.js';

/** Entries that come with a directory and are made on first lookup. `owner` is what the directory shows. */
export interface KernfsTemplate {
  /** Names present for this owner. */
  names(owner: unknown): readonly string[];
  /** Makes the node for one of those names, or undefined when the name is none of them. */
  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined;
  /** How many of the names are directories. */
  directories(owner: unknown): number;
}

export interface DirEntry {
  name: string;
  /** Where readdir goes on after this entry. */
  nextOffset: number;
}

/** A directory's listing: names in order, each with the offset at which it is found. */
interface Listing {
  names: string[];
  offsets: number[];
}

export class KernfsDir extends KernfsNode {
  #children: Map<string, KernfsNode> | undefined;
  #templates: KernfsTemplate[] | undefined;
  #subdirs = 0;
  #listing: Listing | undefined;

  /**
   * @param owner what the directory shows; handed to its templates
   */
  constructor(
    root: KernfsRoot,
    name: string,
    readonly owner?: unknown,
    mode = 0o755,
  ) {
    super(root, name, S_IFDIR | mode);
  }

  override get size(): number {
    return 0;
  }

  /** 2 and the number of subdirectories; links do not count. */
  override get nlink(): number {
    let count = 2 + this.#subdirs;
    for (const template of this.#templates ?? []) count += template.directories(this.owner);
    return count;
  }

  /**
   * Finds an entry, making it if a template describes it.
   * @throws ENOENT when there is none, or the directory was removed
   */
  lookup(name: string): KernfsNode {
    const node = this.find(name);
    if (!node) throw new KernelError(Errno.ENOENT);
    return node;
  }

  find(name: string): KernfsNode | undefined {
    if (this.removed) return undefined;
    const child = this.#children?.get(name);
    if (child) return child;
    for (const template of this.#templates ?? []) {
      const node = template.make(this.root, name, this.owner);
      if (node) {
        node.parent = this;
        this.#keep(name, node);
        return node;
      }
    }
    return undefined;
  }

  has(name: string): boolean {
    if (this.removed) return false;
    return this.#children?.has(name) || this.#templateOf(name) !== undefined;
  }

  /**
   * Adds a node.
   * @throws ENOENT when this directory was removed
   * @throws EEXIST when the name is taken
   */
  add<T extends KernfsNode>(node: T): T {
    if (this.removed) throw new KernelError(Errno.ENOENT);
    if (this.has(node.name)) throw new KernelError(Errno.EEXIST);
    node.parent = this;
    this.#keep(node.name, node);
    if (node instanceof KernfsDir) this.#subdirs++;
    this.#entryAdded(node.name);
    return node;
  }

  addDir(name: string, owner?: unknown, mode?: number): KernfsDir {
    return this.add(new KernfsDir(this.root, name, owner, mode));
  }

  addLink(name: string, target: KernfsNode): KernfsLink {
    return this.add(new KernfsLink(this.root, name, target));
  }

  /**
   * Removes an entry and everything below it.
   * @throws ENOENT when there is no such entry
   */
  removeChild(name: string): void {
    const node = this.#children?.get(name);
    if (!node) throw new KernelError(Errno.ENOENT);
    if (node instanceof KernfsDir) this.#subdirs--;
    this.#drop(name, node);
  }

  /** Adds the entries that a template describes. */
  addTemplate(template: KernfsTemplate): void {
    this.#templates ??= [];
    this.#templates.push(template);
    this.#listing = undefined;
    if (this.root.observers.size > 0) for (const name of template.names(this.owner)) this.#entryAdded(name);
  }

  removeTemplate(template: KernfsTemplate): void {
    const at = this.#templates?.findIndex(
      (t) => t === template || (t instanceof HiddenName && t.whole === template),
    );
    if (at === undefined || at < 0) return;
    const [gone] = this.#templates!.splice(at, 1);
    for (const name of gone!.names(this.owner)) this.#drop(name, this.#children?.get(name));
  }

  /** Takes out one name that a template describes, as a file that removes itself does. */
  hide(name: string): void {
    const template = this.#templateOf(name);
    if (!template) throw new KernelError(Errno.ENOENT);
    const at = this.#templates!.indexOf(template);
    this.#templates![at] = new HiddenName(template, name);
    this.#drop(name, this.#children?.get(name));
  }

  get isEmpty(): boolean {
    return this.#order().names.length === 0;
  }

  /** Names in directory order. */
  names(): readonly string[] {
    return this.removed ? [] : this.#order().names;
  }

  /**
   * Entries from a readdir offset on. `.` and `..` (offsets 0 and 1) are the caller's.
   * @param offset 0 to 2 for the first entry, or the nextOffset of an entry seen before; entries that came or
   *   went since do not disturb it
   */
  *entriesFrom(offset: number): Generator<DirEntry> {
    if (this.removed) return;
    const { names, offsets } = this.#order();
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < names.length; i++) {
      yield { name: names[i]!, nextOffset: offsets[i + 1] ?? END_OF_DIRECTORY };
    }
  }

  /** Offset of the first entry: what readdir reports as the position after `..`. */
  get firstOffset(): number {
    return this.removed ? END_OF_DIRECTORY : (this.#order().offsets[0] ?? END_OF_DIRECTORY);
  }

  override deactivate(): void {
    super.deactivate();
    for (const node of this.#children?.values() ?? []) {
      node.deactivate();
    }
    this.#listing = undefined;
    this.#subdirs = 0;
    this.#templates = undefined;
  }

  /** The order of readdir; a subclass may have another. Offsets grow strictly, also where hashes are equal. */
  protected sorted(names: string[]): Listing {
    const hashed = names.map((name) => ({ name, hash: kernfsNameHash(name) }));
    hashed.sort((a, b) => a.hash - b.hash || (a.name < b.name ? -1 : 1));
    const offsets: number[] = [];
    let last = FIRST_HASH - 1;
    for (const { hash } of hashed) {
      last = Math.max(hash, last + 1);
      offsets.push(last);
    }
    return { names: hashed.map((entry) => entry.name), offsets };
  }

  #order(): Listing {
    if (!this.#listing) {
      const names = new Set(this.#children?.keys());
      for (const template of this.#templates ?? [])
        for (const name of template.names(this.owner)) names.add(name);
      this.#listing = this.sorted([...names]);
    }
    return this.#listing;
  }

  #templateOf(name: string): KernfsTemplate | undefined {
    return this.#templates?.find((template) => template.names(this.owner).includes(name));
  }

  #keep(name: string, node: KernfsNode): void {
    this.#children ??= new Map();
    this.#children.set(name, node);
  }

  #drop(name: string, node: KernfsNode | undefined): void {
    this.#children?.delete(name);
    this.#listing = undefined;
    node?.deactivate();
    for (const observer of this.root.observers) observer.removed?.(this, name, node);
  }

  #entryAdded(name: string): void {
    this.#listing = undefined;
    for (const observer of this.root.observers) observer.added?.(this, name);
  }
}

/** A template without one of its names. */
class HiddenName implements KernfsTemplate {
  constructor(
    readonly whole: KernfsTemplate,
    readonly hidden: string,
  ) {}

  names(owner: unknown): readonly string[] {
    return this.whole.names(owner).filter((name) => name !== this.hidden);
  }

  make(root: KernfsRoot, name: string, owner: unknown): KernfsNode | undefined {
    return name === this.hidden ? undefined : this.whole.make(root, name, owner);
  }

  directories(owner: unknown): number {
    return this.whole.directories(owner);
  }
}

export function isDir(node: KernfsNode): node is KernfsDir {
  return (node.mode & S_IFMT) === S_IFDIR;
}
