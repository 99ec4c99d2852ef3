/**
 * A red-black tree (lib/rbtree.c): binary, balanced by colours, so that the longest way down is at most twice the
 * shortest. As in the kernel the tree does not compare: who uses it walks down from {@link RbTree.root} and says where
 * a node is to hang. The shape is that of the kernel's tree after the same insertions and removals, which shows where
 * a user's walk is not a proper order.
 * @module
 */

/** What an entry of a tree extends. */
export abstract class RbNode<N extends RbNode<N>> {
  parent: N | undefined = undefined;
  left: N | undefined = undefined;
  right: N | undefined = undefined;
  red = false;
}

type Side = 'left' | 'right';
const other = (side: Side): Side => (side === 'left' ? 'right' : 'left');

export class RbTree<N extends RbNode<N>> {
  root: N | undefined = undefined;
  size = 0;

  /** Hangs a new leaf below `parent`, or makes it the root of an empty tree. */
  insert(node: N, parent: N | undefined, side: Side): void {
    this.size++;
    node.parent = parent;
    node.left = undefined;
    node.right = undefined;
    node.red = true;
    if (parent) parent[side] = node;
    else this.root = node;
    this.#balanceRed(node);
  }

  erase(node: N): void {
    this.size--;
    const { left, right } = node;
    if (!left || !right) {
      const child = left ?? right;
      const { parent } = node;
      const side: Side = parent?.left === node ? 'left' : 'right';
      this.#replace(node, child);
      // A single child is always red below a black node: black again, it makes up for what is gone.
      if (child) child.red = false;
      else if (!node.red) this.#balanceBlack(parent, side);
      return;
    }
    // The successor takes the node's place and colour; what is missing is missing where the successor was.
    let next = right;
    while (next.left) next = next.left;
    const wasRed = next.red;
    const child = next.right;
    let parent = next.parent as N;
    let side: Side = 'left';
    if (parent === node) {
      parent = next;
      side = 'right';
    } else {
      this.#replace(next, child);
      next.right = right;
      right.parent = next;
    }
    this.#replace(node, next);
    next.left = left;
    left.parent = next;
    next.red = node.red;
    if (wasRed) return;
    if (child) child.red = false;
    else this.#balanceBlack(parent, side);
  }

  first(): N | undefined {
    let node = this.root;
    while (node?.left) node = node.left;
    return node;
  }

  last(): N | undefined {
    let node = this.root;
    while (node?.right) node = node.right;
    return node;
  }

  next(node: N): N | undefined {
    return neighbour(node, 'right');
  }

  previous(node: N): N | undefined {
    return neighbour(node, 'left');
  }

  /** A red node must not have a red parent. */
  #balanceRed(added: N): void {
    let node = added;
    for (;;) {
      let parent = node.parent;
      if (!parent) {
        node.red = false;
        return;
      }
      if (!parent.red) return;
      const grand = parent.parent as N;
      const side: Side = grand.left === parent ? 'left' : 'right';
      const uncle = grand[other(side)];
      if (uncle?.red) {
        uncle.red = false;
        parent.red = false;
        grand.red = true;
        node = grand;
        continue;
      }
      if (parent[other(side)] === node) {
        this.#rotate(parent, side);
        parent = node;
      }
      parent.red = false;
      grand.red = true;
      this.#rotate(grand, other(side));
      return;
    }
  }

  /** Every way down from `start` must meet as many black nodes; on one side there is one fewer. */
  #balanceBlack(start: N | undefined, missing: Side): void {
    let parent = start;
    let side = missing;
    while (parent) {
      const far = other(side);
      let sibling = parent[far] as N;
      if (sibling.red) {
        sibling.red = false;
        parent.red = true;
        this.#rotate(parent, side);
        sibling = parent[far] as N;
      }
      if (!sibling[far]?.red) {
        const near = sibling[side];
        if (!near?.red) {
          sibling.red = true;
          if (parent.red) {
            parent.red = false;
            return;
          }
          const up: N | undefined = parent.parent;
          side = up?.left === parent ? 'left' : 'right';
          parent = up;
          continue;
        }
        near.red = false;
        sibling.red = true;
        this.#rotate(sibling, far);
        sibling = near;
      }
      sibling.red = parent.red;
      parent.red = false;
      (sibling[far] as N).red = false;
      this.#rotate(parent, side);
      return;
    }
  }

  /** Moves `top` down to `side`; the child of the other side comes up. */
  #rotate(top: N, side: Side): void {
    const up = top[other(side)] as N;
    const inner = up[side];
    top[other(side)] = inner;
    if (inner) inner.parent = top;
    this.#replace(top, up);
    up[side] = top;
    top.parent = up;
  }

  #replace(node: N, by: N | undefined): void {
    const { parent } = node;
    if (!parent) this.root = by;
    else if (parent.left === node) parent.left = by;
    else parent.right = by;
    if (by) by.parent = parent;
  }
}

function neighbour<N extends RbNode<N>>(node: N, side: Side): N | undefined {
  const back = other(side);
  let found = node[side];
  if (found) {
    while (found[back]) found = found[back] as N;
    return found;
  }
  let below = node;
  found = node.parent;
  while (found && found[side] === below) {
    below = found;
    found = found.parent;
  }
  return found;
}
