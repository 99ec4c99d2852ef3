import t from 'tap';
import {
  type NameTable,
  tableEntries,
  tableGet,
  tableSize,
  tableWith,
  tableWithout,
} from '../../src/lib/name-table.js';

t.test('a table keeps its entries while it grows from flat to hashed and shrinks', async (t) => {
  let table: NameTable<{ n: number }> | undefined;
  for (let n = 0; n < 40; n++) {
    table = tableWith(table, `name${n}`, { n });
    t.equal(tableSize(table), n + 1);
    t.equal(tableGet(table, `name${n}`)?.n, n);
    t.equal(tableGet(table, 'name0')?.n, 0);
  }
  t.strictSame(
    [...tableEntries(table)].map(([name]) => name),
    Array.from({ length: 40 }, (_, n) => `name${n}`),
  );
  for (let n = 0; n < 40; n++) {
    table = tableWithout(table!, `name${n}`);
    t.equal(tableGet(table, `name${n}`), undefined);
    t.equal(tableSize(table), 39 - n);
  }
});

t.test('setting a name again replaces its value', async (t) => {
  let table = tableWith<{ v: string }>(undefined, 'a', { v: 'old' });
  table = tableWith(table, 'a', { v: 'new' });
  t.equal(tableSize(table), 1);
  t.equal(tableGet(table, 'a')?.v, 'new');
  t.equal(tableGet(undefined, 'a'), undefined);
});
