import t from 'tap';
import { Interval, IntervalMap } from '../../src/lib/interval-map.js';
import { RbNode, RbTree } from '../../src/lib/rbtree.js';
import { random } from '../random.js';

class Piece extends Interval<Piece> {}
class Key extends RbNode<Key> {
  constructor(readonly key: number) {
    super();
  }
}

/** Number of black nodes on every way down, or -1 where a rule of the colours is broken. */
function blackHeight(node: Key | undefined): number {
  if (!node) return 0;
  const [left, right] = [blackHeight(node.left), blackHeight(node.right)];
  if (left < 0 || left !== right || (node.red && (node.left?.red || node.right?.red))) return -1;
  if (node.left && node.left.parent !== node) return -1;
  if (node.right && node.right.parent !== node) return -1;
  return left + (node.red ? 0 : 1);
}

t.test('a red-black tree keeps order and colours through any insertions and removals', async (t) => {
  const next = random(1);
  const tree = new RbTree<Key>();
  const keys = new Map<number, Key>();
  for (let i = 0; i < 20_000; i++) {
    const key = next(500);
    const known = keys.get(key);
    if (known) {
      tree.erase(known);
      keys.delete(key);
    } else {
      const added = new Key(key);
      let [parent, side]: [Key | undefined, 'left' | 'right'] = [undefined, 'left'];
      for (let node = tree.root; node; node = node[side]) {
        parent = node;
        side = key < node.key ? 'left' : 'right';
      }
      tree.insert(added, parent, side);
      keys.set(key, added);
    }
    if (i % 50 > 0) continue;
    if (blackHeight(tree.root) < 0 || tree.root?.red) t.fail(`step ${i}`);
    const sorted = [...keys.keys()].sort((a, b) => a - b);
    const [forth, back]: number[][] = [[], []];
    for (let node = tree.first(); node; node = tree.next(node)) forth!.push(node.key);
    for (let node = tree.last(); node; node = tree.previous(node)) back!.unshift(node.key);
    if (String(forth) !== String(sorted) || String(back) !== String(sorted)) t.fail(`step ${i}`);
  }
  t.equal(tree.size, keys.size);
});

t.test('the shape is what colours alone decide: ascending keys', async (t) => {
  const tree = new RbTree<Key>();
  let last: Key | undefined;
  for (let i = 1; i <= 6; i++) {
    const key = new Key(i);
    tree.insert(key, last, 'right');
    last = key;
  }
  const shape = (node: Key | undefined): unknown =>
    node && [node.key, node.red, shape(node.left), shape(node.right)];
  const leaf = (key: number, red: boolean) => [key, red, undefined, undefined];
  t.strictSame(shape(tree.root), [
    2,
    false,
    leaf(1, false),
    [4, true, leaf(3, false), [5, false, undefined, leaf(6, true)]],
  ]);
});

t.test('intervals that touch a member are refused', async (t) => {
  const map = new IntervalMap<Piece>();
  t.ok(map.insert(new Piece(10n, 19n)));
  t.ok(map.insert(new Piece(2n ** 64n - 4096n, 2n ** 64n - 1n)));
  for (const [start, last] of [
    [10n, 19n],
    [0n, 10n],
    [19n, 30n],
    [12n, 12n],
    [0n, 100n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
  ] as const)
    t.notOk(map.insert(new Piece(start, last)), `${start}-${last}`);
  t.ok(map.insert(new Piece(20n, 20n)));
  t.ok(map.insert(new Piece(0n, 9n)));
  t.equal(map.size, 4);
});

t.test('every question is answered as a plain list answers it', async (t) => {
  const next = random(7);
  const map = new IntervalMap<Piece>();
  let list: Piece[] = [];
  for (let i = 0; i < 5000; i++) {
    const start = BigInt(next(1000));
    const last = start + BigInt(next(8));
    const overlapping = list.filter((piece) => piece.start <= last && start <= piece.last);
    const answers = [
      map.firstOverlapping(start, last) === overlapping[0],
      map.findContaining(start) === overlapping.find((piece) => piece.start <= start),
      map.firstAtOrAfter(start) === list.find((piece) => piece.start >= start),
      map.lastAtOrBefore(start) === list.findLast((piece) => piece.start <= start),
    ];
    if (answers.includes(false)) t.fail(`step ${i}: ${answers}`);
    if (next(3) === 0) {
      for (const piece of map.overlapping(start, last)) map.remove(piece);
      list = list.filter((piece) => !overlapping.includes(piece));
    } else {
      const piece = new Piece(start, last);
      if (map.insert(piece) !== (overlapping.length === 0)) t.fail('insert');
      if (overlapping.length === 0) list = [...list, piece].sort((a, b) => Number(a.start - b.start));
    }
    if (i % 100 === 0) t.strictSame([...map], list);
  }
  t.equal(map.first(), list[0]);
  t.equal(map.last(), list.at(-1));
});
