/**
 * Everything that can be measured, by name.
 * @module
 */

import type { Caller } from './caller.js';
import type { Candidate } from './candidate.js';
import { MdevfsCandidate, observeTree, type Variant } from './mdevfs.js';
import { Scope } from './scope.js';
import type { Tree } from './tree.js';
import { libfuse3, sysfs, tmpfs } from './yardsticks.js';

export const candidateNames = ['fuse', 'fuse-direct', 'fuse-native', 'c', 'tmpfs', 'sysfs'] as const;
export type CandidateName = (typeof candidateNames)[number];

const NO_PASSTHROUGH = '--no-passthrough';

const fuse: Variant = {
  name: 'fuse',
  about: 'mdevfs mount',
  options: ['--transport', 'fuse'],
  limit: { devices: Number.POSITIVE_INFINITY, walks: Number.POSITIVE_INFINITY },
};

const variants: Partial<Record<CandidateName, Variant>> = {
  fuse,
  'fuse-direct': {
    name: 'fuse-direct',
    about: `mdevfs mount ${NO_PASSTHROUGH}`,
    options: ['--transport', 'fuse', NO_PASSTHROUGH],
    needs: NO_PASSTHROUGH,
    limit: { devices: 1000, walks: 1000 },
  },
  'fuse-native': {
    name: 'fuse-native',
    about: 'mdevfs mount --transport fuse-native',
    options: ['--transport', 'fuse-native'],
    limit: { devices: 1000, walks: 10 },
  },
};

export class Candidates {
  #tree: Promise<Tree> | undefined;

  constructor(readonly caller: Caller) {}

  get(name: CandidateName): Candidate {
    const variant = variants[name];
    if (variant) return new MdevfsCandidate(variant, this.caller);
    switch (name) {
      case 'c':
        return libfuse3(this.caller, () => this.tree());
      case 'tmpfs':
        return tmpfs(() => this.tree());
      default:
        return sysfs();
    }
  }

  /** Observed once, when somebody needs it. */
  tree(): Promise<Tree> {
    this.#tree ??= Scope.with((scope) => observeTree(scope, new MdevfsCandidate(fuse, this.caller)));
    return this.#tree;
  }
}
