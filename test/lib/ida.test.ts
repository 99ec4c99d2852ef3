import t from 'tap';
import { Ida } from '../../src/lib/ida.js';

t.test('ids are given out from the lowest free one', async (t) => {
  const ida = new Ida();
  t.strictSame([ida.alloc(), ida.alloc(), ida.alloc(), ida.alloc()], [0, 1, 2, 3]);
  ida.free(2);
  ida.free(0);
  t.equal(ida.alloc(), 0);
  t.equal(ida.alloc(), 2);
  t.equal(ida.alloc(), 4);
});

t.test('after many releases in any order the lowest still comes first', async (t) => {
  const ida = new Ida();
  const ids = Array.from({ length: 1000 }, () => ida.alloc());
  for (const id of ids.filter((id) => id % 3 === 0).reverse()) ida.free(id);
  const again = Array.from({ length: 334 }, () => ida.alloc());
  t.strictSame(
    again,
    ids.filter((id) => id % 3 === 0),
  );
  t.equal(ida.alloc(), 1000);
});

t.test('an allocator that is full says ENOSPC', async (t) => {
  const ida = new Ida(5, 6);
  t.strictSame([ida.alloc(), ida.alloc()], [5, 6]);
  t.throws(() => ida.alloc(), { code: 'ENOSPC' });
  ida.free(5);
  t.equal(ida.alloc(), 5);
});

t.test('freeing what was never given out is a bug', async (t) => {
  t.throws(() => new Ida().free(3), /not allocated/);
});

t.test('an id that is wished for is given once, if it is free', async (t) => {
  const ida = new Ida(0, 9);
  ida.wish = 3;
  t.equal(ida.alloc(), 3);
  t.strictSame([ida.alloc(), ida.alloc(), ida.alloc(), ida.alloc()], [0, 1, 2, 4]);
  ida.wish = 3;
  t.equal(ida.alloc(), 5, 'taken');
  ida.free(1);
  ida.free(2);
  ida.free(4);
  ida.wish = 2;
  t.equal(ida.alloc(), 2);
  t.strictSame([ida.alloc(), ida.alloc(), ida.alloc()], [1, 4, 6]);
  ida.wish = 10;
  t.equal(ida.alloc(), 7, 'beyond the last');
});
