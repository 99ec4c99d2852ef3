/**
 * Which files a path pattern means. Its names are looked up like those of a path, links are followed, so that
 * `bus/mdev/devices/83b8?/remove` or `class/mdev_bus/mtty/mdev_supported_types/mtty-?/create` mean what a user would reach there.
 *
 * A pattern in the place of a link means links named like what they lead to, as sysfs has them nearly everywhere; so a
 * directory of ten thousand devices is never searched.
 * @module
 */

import { isDir } from '../kernfs/dir.js';
import { KernfsLink } from '../kernfs/link.js';
import type { KernfsNode } from '../kernfs/node.js';
import { globMatcher, isGlob } from '../lib/glob.js';

interface Step {
  readonly text: string;
  readonly glob: boolean;
  readonly matches: (name: string) => boolean;
}

const ANY_DEPTH = '**';

export class PathPattern {
  readonly #steps: readonly Step[];

  /** @param text names with slashes between them, from the root of a tree on */
  constructor(text: string) {
    this.#steps = text
      .split('/')
      .filter((name) => name !== '')
      .map((name) => ({ text: name, glob: isGlob(name), matches: globMatcher(name) }));
  }

  matches(node: KernfsNode): boolean {
    const chain: KernfsNode[] = [];
    for (let at: KernfsNode | undefined = node; at; at = at.parent) chain.unshift(at);
    return this.#walk(chain[0]!, 0, chain);
  }

  /** @param chain the node, and before it what it is in, from the root on */
  #walk(at: KernfsNode, index: number, chain: readonly KernfsNode[]): boolean {
    const step = this.#steps[index];
    if (!step) return at === chain.at(-1);
    if (step.text === ANY_DEPTH) {
      const from = chain.indexOf(at);
      return from >= 0 && chain.slice(from).some((below) => this.#walk(below, index + 1, chain));
    }
    if (!isDir(at)) return false;
    const names = step.glob ? new Set(chain.map(({ name }) => name).filter(step.matches)) : [step.text];
    for (const name of names) {
      const found = at.find(name);
      const next = found instanceof KernfsLink ? found.target : found;
      if (next && this.#walk(next, index + 1, chain)) return true;
    }
    return false;
  }
}
