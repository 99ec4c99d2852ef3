/**
 * What the kernel may remember of the tree, and for how long. A name or attribute that the kernel remembers
 * costs no request, and must be taken back (FUSE_NOTIFY_INVAL_*) before the change that outdates it is
 * acknowledged. Nothing is remembered yet: every timeout is 0, so every look at the tree is a request.
 * @module
 */

/** Seconds. */
export interface Timeouts {
  /** How long a name leads to its node. */
  readonly entry: number;
  /** How long attributes of a node hold. */
  readonly attr: number;
}

export const nothingCached: Timeouts = { entry: 0, attr: 0 };
