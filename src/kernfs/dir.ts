/**
 * A kernfs directory (fs/kernfs/dir.c): entries found by name, listed by name hash.
 *
 * Entries are of two kinds. Children are nodes that were added one by one. Templates describe entries that
 * many directories have in common (the attributes of every device, say); their nodes are made when somebody
 * first looks at them, so that a device nobody looks at costs next to nothing.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { type NameTable, tableEntries, tableGet, tableWith, tableWithout } from '../lib/name-table.js';
import { END_OF_DIRECTORY, FIRST_HASH, kernfsNameHash } from './hash.js';
import { KernfsLink } from './link.js';
import { KernfsNode, type KernfsRoot, S_IFDIR, S_IFMT } from './node.js';
import { type KernfsTemplate, TemplateList } from './template.js';

export interface DirEntry {
  name: string;
  /** Where readdir goes on after this entry. */
  nextOffset: number;
}

/** A directory's listing: names in order, each with the offset at which it is found. */
export interface Listing {
  names: string[];
  offsets: number[];
}

/** The order of sysfs: by hash. Offsets grow strictly, also where hashes are equal. */
export function hashOrder(names: readonly string[]): Listing {
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

/** The entries of a listing from an offset on. */
export function* listedFrom({ names, offsets }: Listing, offset: number): Generator<DirEntry> {
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

export class KernfsDir extends KernfsNode {
  /**
   * What each name stands for. A node that is not this directory's own child under that name is the target of a
   * link that nobody has looked at yet: a machine with many devices is mostly such links.
   */
  private children_: NameTable<KernfsNode> | undefined = undefined;
  private templates_ = TemplateList.empty;
  private subdirs_ = 0;
  private listing_: Listing | undefined = undefined;

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
    let count = 2 + this.subdirs_;
    for (const template of this.templates_.templates) count += template.directories(this.owner);
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
    const child = tableGet(this.children_, name);
    if (child) return this.owns_(name, child) ? child : this.keep_(new KernfsLink(this.root, name, child));
    for (const template of this.templates_.templates) {
      const node = template.make(this.root, name, this.owner);
      if (node) return this.keep_(node);
    }
    return undefined;
  }

  has(name: string): boolean {
    if (this.removed) return false;
    return (
      tableGet(this.children_, name) !== undefined || this.templates_.findName(name, this.owner) !== undefined
    );
  }

  /**
   * Adds a node.
   * @throws ENOENT when this directory was removed
   * @throws EEXIST when the name is taken
   */
  add<T extends KernfsNode>(node: T): T {
    this.assertFree_(node.name);
    this.keep_(node);
    if (node instanceof KernfsDir) this.subdirs_++;
    this.entryAdded(node.name);
    return node;
  }

  /**
   * Puts a file or a link in the place of another, or of nothing. While it is there, a template does not make its entry
   * of that name.
   * @throws ENOENT when this directory was removed
   * @throws EISDIR when there is a directory
   */
  cover<T extends KernfsNode>(node: T): T {
    if (this.removed) throw new KernelError(Errno.ENOENT);
    if (this.find(node.name) instanceof KernfsDir) throw new KernelError(Errno.EISDIR);
    if (this.has(node.name)) this.drop_(node.name);
    this.keep_(node);
    this.entryAdded(node.name);
    return node;
  }

  addDir(name: string, owner?: unknown, mode?: number): KernfsDir {
    return this.add(new KernfsDir(this.root, name, owner, mode));
  }

  /** Adds a symbolic link to a node of the same tree. Same errors as {@link add}. */
  addLink(name: string, target: KernfsNode): void {
    this.assertFree_(name);
    this.children_ = tableWith(this.children_, name, target);
    this.entryAdded(name);
  }

  /**
   * Removes an entry and everything below it.
   * @throws ENOENT when there is no such entry
   */
  removeChild(name: string): void {
    const node = tableGet(this.children_, name);
    if (!node) throw new KernelError(Errno.ENOENT);
    if (node instanceof KernfsDir && this.owns_(name, node)) this.subdirs_--;
    this.drop_(name);
  }

  /** Tells that a template of this directory describes a new name. */
  entryAdded(name: string): void {
    this.listing_ = undefined;
    for (const observer of this.root.observers) observer.added?.(this, name);
  }

  /** Tells that a name is gone which a template described. */
  entryRemoved(name: string): void {
    this.drop_(name);
  }

  /** Adds the entries that a template describes. */
  addTemplate(template: KernfsTemplate): void {
    this.templates_ = this.templates_.plus(template);
    this.listing_ = undefined;
    // A directory that is still being made has no observers.
    if (this.parent && this.root.observers.size > 0)
      for (const name of template.names(this.owner)) this.entryAdded(name);
  }

  removeTemplate(template: KernfsTemplate): void {
    const before = this.templates_;
    this.templates_ = before.minus(template);
    for (const gone of before.templates) {
      if (this.templates_.templates.includes(gone)) continue;
      for (const name of gone.names(this.owner)) this.drop_(name);
    }
  }

  /** Takes out one name that a template describes, as a file that removes itself does. */
  hide(name: string): void {
    const template = this.templates_.findName(name, this.owner);
    if (!template) throw new KernelError(Errno.ENOENT);
    this.templates_ = this.templates_.hiding(template, name);
    this.drop_(name);
  }

  /** Whether a template describes the name. */
  isFromTemplate(name: string): boolean {
    return this.templates_.findName(name, this.owner) !== undefined;
  }

  get isEmpty(): boolean {
    return this.order_().names.length === 0;
  }

  /** Names in directory order. */
  names(): readonly string[] {
    return this.removed ? [] : this.order_().names;
  }

  /**
   * Entries from a readdir offset on. `.` and `..` (offsets 0 and 1) are the caller's.
   * @param offset 0 to 2 for the first entry, or the nextOffset of an entry seen before; entries that came or
   *   went since do not disturb it
   */
  *entriesFrom(offset: number): Generator<DirEntry> {
    if (!this.removed) yield* listedFrom(this.order_(), offset);
  }

  /** Offset of the first entry: what readdir reports as the position after `..`. */
  get firstOffset(): number {
    return this.removed ? END_OF_DIRECTORY : (this.order_().offsets[0] ?? END_OF_DIRECTORY);
  }

  override deactivate(): void {
    super.deactivate();
    for (const [name, node] of tableEntries(this.children_)) if (this.owns_(name, node)) node.deactivate();
    this.listing_ = undefined;
    this.subdirs_ = 0;
    this.templates_ = TemplateList.empty;
  }

  /** The order of readdir; a subclass may have another. */
  protected sorted(names: string[]): Listing {
    return hashOrder(names);
  }

  private order_(): Listing {
    if (!this.listing_) {
      const names = new Set<string>();
      for (const template of this.templates_.templates)
        for (const name of template.names(this.owner)) names.add(name);
      for (const [name] of tableEntries(this.children_)) names.add(name);
      this.listing_ = this.sorted([...names]);
    }
    return this.listing_;
  }

  /** Whether a name stands for a node of this directory, rather than for a link to one elsewhere. */
  private owns_(name: string, node: KernfsNode): boolean {
    return node.parent === this && node.name === name;
  }

  private assertFree_(name: string): void {
    if (this.removed) throw new KernelError(Errno.ENOENT);
    if (this.has(name)) throw new KernelError(Errno.EEXIST);
  }

  private keep_<T extends KernfsNode>(node: T): T {
    node.parent = this;
    this.children_ = tableWith(this.children_, node.name, node);
    return node;
  }

  private drop_(name: string): void {
    const found = tableGet(this.children_, name);
    const node = found && this.owns_(name, found) ? found : undefined;
    if (this.children_) this.children_ = tableWithout(this.children_, name);
    this.listing_ = undefined;
    node?.deactivate();
    for (const observer of this.root.observers) observer.removed?.(this, name, node);
  }
}

export function isDir(node: KernfsNode): node is KernfsDir {
  return (node.mode & S_IFMT) === S_IFDIR;
}
