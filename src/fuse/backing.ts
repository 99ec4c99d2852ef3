/**
 * Reads that the kernel serves by itself (FUSE_PASSTHROUGH). A text that never changes while its object lives is
 * filed once as a backing file, outside of the tree; whoever opens the attribute then reads that, and the daemon hears
 * of the open alone.
 *
 * Whatever is read this way must be what the daemon would have answered. The size that stat reports stays the
 * attribute's, since attributes come from the tree. A read after the removal is ENODEV, which is why backing files lie
 * in a second FUSE mount (backing-session.ts) and not in memory: theirs are pages that can be taken back, and then the
 * read is asked for, and refused. A value that changes would have to be shown again at offset 0 and not
 * elsewhere; no page can tell those apart, so such attributes are read the long way.
 *
 * The kernel's rule: as long as a file is open by way of a backing file, every open must name the same one, or is EIO. So
 * a backing file is named from the first open on that finds the attribute closed: who opened it before, and
 * was answered, may not have come as far as to take the answer. And it is given back only while nobody has the attribute open.
 * @module
 */

import { type KernfsFile, showText } from '../kernfs/file.js';
import type { KernfsNode } from '../kernfs/node.js';
import type { KernfsObserver } from '../kernfs/notify.js';
import { invalInode } from './notification.js';

/** How the kernel gets to know a backing file. */
export interface BackingRegistry {
  /** Opens a file of the backing mount and gives it to the kernel. @returns the kernel's number for it */
  register(name: string): Promise<number>;
  unregister(id: number): void;
}

/** What the backing mount holds. */
export interface BackingFile {
  readonly nodeid: number;
  /** Of the names, of which there are no more than files at the same time; the next file may get it. */
  readonly slot: number;
  readonly text: Uint8Array;
  /** The attribute is gone: reads are ENODEV. */
  gone: boolean;
}

interface Backing extends BackingFile {
  readonly file: KernfsFile;
  /** The kernel's number; undefined while it is being made. */
  id: number | undefined;
  /** Whether opens name it. */
  named: boolean;
}

/** Each costs the kernel an inode and a page. */
const LIMIT = 1024;
const ROOT = 1;

export class BackingFiles implements KernfsObserver {
  /** By attribute, the one opened last at the end. */
  readonly #byFile = new Map<KernfsFile, Backing>();
  readonly #byNode = new Map<number, Backing>();
  readonly #bySlot: (Backing | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  /** Attributes that were opened once. One that is opened again is worth a backing file. */
  readonly #opened = new WeakSet<KernfsFile>();
  #outdated: Buffer[] = [];
  #lastNode = ROOT;
  #broken = false;

  /**
   * @param isOpen whether somebody has the attribute open
   * @param log told once when a backing file cannot be made, and none is tried after that
   */
  constructor(
    readonly registry: BackingRegistry,
    readonly isOpen: (file: KernfsFile) => boolean,
    readonly log: (text: string) => void,
  ) {}

  /**
   * Notes that an attribute is about to be opened.
   * @returns number of the backing file that the open has to name, undefined for one without
   */
  opened(file: KernfsFile): number | undefined {
    // Whoever is to get a fault has to ask.
    if (!file.ops.constant || file.root.faults?.covers(file, 'read')) return undefined;
    const backing = this.#byFile.get(file);
    if (backing) {
      if (backing.id === undefined) return undefined;
      backing.named ||= !this.isOpen(file);
      if (!backing.named) return undefined;
      this.#byFile.delete(file);
      this.#byFile.set(file, backing);
      return backing.id;
    }
    if (!this.#opened.has(file)) this.#opened.add(file);
    else if (!this.#broken) this.#make(file);
    return undefined;
  }

  /** The attribute was closed for the last time. */
  closed(file: KernfsFile): void {
    if (this.#byFile.get(file)?.gone) this.#drop(file);
  }

  deactivated(node: KernfsNode): void {
    const backing = this.#byFile.get(node as KernfsFile);
    if (!backing) return;
    backing.gone = true;
    if (this.isOpen(backing.file)) this.#outdated.push(invalInode(backing.nodeid));
    else this.#drop(backing.file);
  }

  /** Attributes that have a backing file. */
  get files(): Iterable<KernfsFile> {
    return this.#byFile.keys();
  }

  get isOutdated(): boolean {
    return this.#outdated.length > 0;
  }

  /** Messages for the backing mount that are due, before the answer to what caused them. */
  takeOutdated(): Buffer[] {
    const messages = this.#outdated;
    this.#outdated = [];
    return messages;
  }

  /** Finds a file of the backing mount by its name. */
  find(name: string): BackingFile | undefined {
    return this.#bySlot[Number(name)];
  }

  get(nodeid: number): BackingFile | undefined {
    return this.#byNode.get(nodeid);
  }

  get size(): number {
    return this.#byFile.size;
  }

  #make(file: KernfsFile): void {
    this.#makeRoom();
    const backing: Backing = {
      file,
      nodeid: ++this.#lastNode,
      slot: this.#freeSlots.pop() ?? this.#bySlot.length,
      text: showText(file.ops),
      gone: false,
      id: undefined,
      named: false,
    };
    this.#byFile.set(file, backing);
    this.#byNode.set(backing.nodeid, backing);
    this.#bySlot[backing.slot] = backing;
    this.registry.register(String(backing.slot)).then(
      (id) => {
        backing.id = id;
        if (backing.gone) this.#drop(file);
      },
      (error: Error) => {
        if (!this.#broken) this.log(`mdevfs: reads are no longer passed through: ${error.message}`);
        this.#broken = true;
        this.#drop(file);
      },
    );
  }

  #makeRoom(): void {
    if (this.#byFile.size < LIMIT) return;
    for (const [file, { id }] of this.#byFile) {
      if (id === undefined || this.isOpen(file)) continue;
      this.#drop(file);
      return;
    }
  }

  #drop(file: KernfsFile): void {
    const backing = this.#byFile.get(file)!;
    // What is still being made is dropped when it has been.
    if (backing.id === undefined && !this.#broken) return;
    this.#byFile.delete(file);
    this.#byNode.delete(backing.nodeid);
    this.#bySlot[backing.slot] = undefined;
    this.#freeSlots.push(backing.slot);
    if (backing.id !== undefined) this.registry.unregister(backing.id);
  }
}
