/**
 * A model's tree with the machine's own entries beside it. In the directories where both have a say, such as
 * `class/net` or `bus/pci/devices`, both are listed, and where both have an entry, the model's is the one. Everything
 * else of the model is as without the machine.
 *
 * Entries of the machine come and go without a word, so the kernel asks about them, and about the directories that
 * may have some, each time.
 * @module
 */

import { cachedForAnHour, type Timeouts } from '../fuse/cache.js';
import { plainView, type View } from '../fuse/view.js';
import { type DirEntry, hashOrder, isDir, type KernfsDir, listedFrom } from '../kernfs/dir.js';
import type { KernfsNode, Stat } from '../kernfs/node.js';
import type { RealTree } from './real-tree.js';
import { RealDir, RealFile, RealLink } from './real-tree-node.js';

/** Directories of the model that hold entries of the machine. What is deeper belongs to one object, of one of them. */
const shared: readonly RegExp[] = [
  /^\/bus(\/.*)?$/,
  /^\/class(\/[^/]+)?$/,
  /^\/dev(\/[^/]+)?$/,
  /^\/devices\/virtual(\/[^/]+)?$/,
  /^\/kernel\/iommu_groups$/,
  /^\/module$/,
];

const askedEachTime: Timeouts = { entry: 0, attr: 0 };
/** The name stays, and what it stands for is asked each time. */
const listedEachTime: Timeouts = { entry: cachedForAnHour.entry, attr: 0 };

interface Seen {
  names: string;
  mtime: number;
}

export class UnionView implements View {
  /** What the listing of a directory was when somebody last asked. */
  readonly #seen = new WeakMap<KernfsNode, Seen>();

  /** @param covered paths of real directories that have something mounted on, so that nobody sees them */
  constructor(
    readonly real: RealTree,
    readonly covered: ReadonlySet<string>,
  ) {}

  find(dir: KernfsDir, name: string): KernfsNode | undefined {
    if (isReal(dir)) return dir.find(name);
    return dir.find(name) ?? (isShared(dir) ? this.real.find(dir, `${dir.path}/${name}`) : undefined);
  }

  entriesFrom(dir: KernfsDir, offset: number): Iterable<DirEntry> {
    return isShared(dir) ? listedFrom(hashOrder(this.#names(dir)), offset) : dir.entriesFrom(offset);
  }

  firstOffset(dir: KernfsDir): number {
    return (isShared(dir) ? hashOrder(this.#names(dir)).offsets[0] : undefined) ?? dir.firstOffset;
  }

  getattr(node: KernfsNode): Stat {
    const stat = node.getattr();
    if (!isDir(node)) return stat;
    if (isReal(node)) return { ...stat, mtime: this.#changed(node, node.names()) };
    if (!isShared(node)) return stat;
    return { ...stat, mtime: this.#changed(node, this.#names(node)) };
  }

  timeouts(node: KernfsNode): Timeouts {
    if (isReal(node)) return this.covered.has(node.path) ? cachedForAnHour : askedEachTime;
    return isDir(node) && isShared(node) ? listedEachTime : plainView.timeouts(node);
  }

  tellsNames(dir: KernfsDir): boolean {
    return !isReal(dir) && !isShared(dir);
  }

  #names(dir: KernfsDir): string[] {
    return [...new Set([...dir.names(), ...this.real.names(dir.path)])];
  }

  /** When the entries of a directory were first seen to be these. */
  #changed(dir: KernfsNode, list: readonly string[]): number {
    const names = list.join('/');
    let seen = this.#seen.get(dir);
    if (seen?.names !== names) {
      // Later than before also when the clock has not moved.
      seen = { names, mtime: Math.max(dir.root.now(), (seen?.mtime ?? 0) + 0.001) };
      this.#seen.set(dir, seen);
    }
    return seen.mtime;
  }
}

function isReal(node: KernfsNode): boolean {
  return node instanceof RealDir || node instanceof RealFile || node instanceof RealLink;
}

function isShared(dir: KernfsDir): boolean {
  if (isReal(dir) || dir.removed) return false;
  const { path } = dir;
  return shared.some((pattern) => pattern.test(path));
}
