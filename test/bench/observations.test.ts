import t from 'tap';
import { parseCpuList } from './cpus.js';
import { switchesOf } from './idle.js';
import { parseCounts, perOperation } from './round-trips.js';
import { deviceNodes, manifest, parseFind, treeOf, uuidOf } from './tree.js';

t.test('a list of processors has ranges and single ones', (t) => {
  t.same(parseCpuList('0-2,8\n'), [0, 1, 2, 8]);
  t.same(parseCpuList('3'), [3]);
  t.end();
});

t.test('switches of context are counted, wanted and unwanted ones', (t) => {
  const status = 'Name:\tnode\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n';
  t.equal(switchesOf(status), 15);
  t.end();
});

t.test('requests that nobody waits for are no round trips', (t) => {
  const counts = parseCounts('BATCH_FORGET 1\nFORGET 4\nOPEN 3\nREAD 2\nRELEASE 3\n');
  t.same(
    [...counts],
    [
      ['OPEN', 3],
      ['READ', 2],
    ],
  );
  t.end();
});

t.test('what counting costs is taken off, and notifications are no round trips', (t) => {
  const counted = new Map([
    ['OPEN', 21],
    ['READ', 1],
    ['WRITE', 20],
    ['NOTIFY_INVAL_ENTRY', 60],
  ]);
  const own = new Map([
    ['OPEN', 1],
    ['READ', 1],
  ]);
  t.same(perOperation(counted, own, 20), {
    perOperation: 2,
    requests: { OPEN: 1, WRITE: 1 },
    notifications: { INVAL_ENTRY: 3 },
  });
  t.end();
});

/** As find(1) prints a tree with so many devices. */
function found(devices: number): string {
  const base = ['d\t755\t\t', 'd\t755\tbus\t', 'd\t755\tgroups\t', 'f\t444\tbus/v2\t'];
  const each = Array.from({ length: devices }, (_, i) => [
    `d\t755\tbus/${uuidOf(i)}\t`,
    `f\t200\tbus/${uuidOf(i)}/remove\t`,
    `d\t755\tgroups/${i}\t`,
    `l\t777\tgroups/${i}/dev\t../../bus/${uuidOf(i)}`,
    `l\t777\tbus/${uuidOf(i)}/group\t../../groups/${i}`,
  ]);
  return `${[...base, ...each.flat()].join('\n')}\n`;
}

t.test('what one device adds is told from the rest of the tree', (t) => {
  const tree = treeOf(parseFind(found(2)), parseFind(found(3)), 2);
  t.same(
    tree.base.map(({ path }) => path),
    ['bus', 'groups', 'bus/v2'],
  );
  t.same(
    tree.device.map(({ path, target }) => [path, target]),
    [
      ['bus/{u}', ''],
      ['bus/{u}/remove', ''],
      ['groups/{n}', ''],
      ['groups/{n}/dev', '../../bus/{u}'],
      ['bus/{u}/group', '../../groups/{n}'],
    ],
  );
  t.equal(deviceNodes(tree, 7)[3]!.target, `../../bus/${uuidOf(7)}`);
  t.match(manifest(tree), 'B\tf\t444\tbus/v2\t\n');
  t.match(manifest(tree), 'T\tl\t777\tbus/{u}/group\t../../groups/{n}\n');
  t.end();
});

t.test('a tree whose devices differ is refused', (t) => {
  const before = parseFind(found(2)).filter(({ path }) => path !== 'groups/0/dev');
  t.throws(() => treeOf(before, parseFind(found(3)), 2), /groups\/0\/dev/);
  t.end();
});
