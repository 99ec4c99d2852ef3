import t from 'tap';
import { NumberedMap } from '../../src/lib/numbered-map.js';

const names = [
  'vfio0',
  'vfio1',
  'vfio10',
  '0',
  '7',
  '254:3',
  '253:3',
  'vfio',
  'vfio01',
  'vfio00',
  '',
  '9000000',
  '99999999999',
  'tty4000000',
  '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001',
  '0000:3b:00.0',
];

t.test('any name keeps its value, numbered or not', async (t) => {
  const map = new NumberedMap<{ name: string }>();
  for (const name of names) map.set(name, { name });
  t.equal(map.size, names.length);
  for (const name of names) t.equal(map.get(name)?.name, name, `"${name}"`);
  t.strictSame([...map.keys()].sort(), [...names].sort());
  t.strictSame([...map.values()].map(({ name }) => name).sort(), [...names].sort());
  for (const [n, name] of names.entries()) {
    t.ok(map.delete(name), `"${name}"`);
    t.notOk(map.has(name));
    t.notOk(map.delete(name));
    t.equal(map.size, names.length - 1 - n);
  }
  t.strictSame([...map.keys()], []);
});

t.test('setting a name again replaces its value', async (t) => {
  const map = new NumberedMap<number>();
  for (const value of [1, 2, 0]) for (const name of ['vfio3', 'vfio', 'vfio500']) map.set(name, value);
  t.strictSame([...map.entries()].sort(), [
    ['vfio', 0],
    ['vfio3', 0],
    ['vfio500', 0],
  ]);
  t.equal(map.size, 3);
});

t.test('a number that was far away stays in its place when the others have come', async (t) => {
  const map = new NumberedMap<number>();
  map.set('n500', 1);
  for (let n = 0; n < 500; n++) map.set(`n${n}`, n);
  map.set('n500', 2);
  t.equal(map.get('n500'), 2);
  t.equal(map.size, 501);
  t.equal([...map.keys()].length, 501);
});

t.test('numbers come and go in any order', async (t) => {
  const map = new NumberedMap<number>();
  const model = new Map<string, number>();
  for (let step = 0, seed = 1; step < 20_000; step++) {
    seed = (seed * 1103515245 + 12345) % 0x80000000;
    const name = `${['a', 'b', ''][seed % 3]}${(seed >> 8) % 300}`;
    if ((seed >> 4) % 3 === 0) t.equal(map.delete(name), model.delete(name));
    else {
      map.set(name, step);
      model.set(name, step);
    }
    if (map.size !== model.size) t.fail(`after ${step} steps`);
  }
  t.strictSame([...map.entries()].sort(), [...model.entries()].sort());
});
