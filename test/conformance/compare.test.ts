import t from 'tap';
import { difference, sameOutcome, sameValue, show, showOutcome } from './compare.js';

t.test('values are the same only with the same keys, order and bytes', async (t) => {
  t.equal(sameValue({ type: 'dir', nlink: 2 }, { nlink: 2, type: 'dir' }), true);
  t.equal(sameValue({ type: 'dir' }, { type: 'dir', nlink: 2 }), false);
  t.equal(sameValue(['a', 'b'], ['b', 'a']), false);
  t.equal(sameValue(['a'], ['a', 'b']), false);
  t.equal(sameValue({ s: '24\n' }, Buffer.from('24\n')), true);
  t.equal(sameValue({ n: 2, bufs: [{ s: '1\n' }] }, { n: 2, bufs: [Buffer.from('1\n')] }), true);
  t.equal(sameValue(null, undefined), true, 'a call that returns nothing is recorded as null');
  t.equal(sameValue(0, undefined), false);
});

t.test('an outcome is its result, or its errno and where it happened', async (t) => {
  t.equal(sameOutcome({ ret: 36 }, { ret: 36 }), true);
  t.equal(sameOutcome({ ret: 36 }, { ret: 37 }), false);
  t.equal(sameOutcome({ errno: 'EINVAL', at: 'write' }, { errno: 'EINVAL', at: 'write' }), true);
  t.equal(sameOutcome({ errno: 'EACCES', at: 'open' }, { errno: 'EACCES', at: 'write' }), false);
  t.equal(sameOutcome({ errno: 'EACCES' }, { errno: 'EACCES', at: 'open' }), true);
  t.equal(sameOutcome({ ret: null }, { errno: 'EINVAL' }), false);
  t.equal(sameOutcome({ ret: null }, { unsupported: 'not here' }), false);
});

t.test('a difference is said by its place', async (t) => {
  t.equal(
    difference({ ids: [['00', 'group 7']] }, { ids: [['00', 'group 8']] }),
    'ids.0.1: expected "group 7"; got "group 8"',
  );
  t.equal(difference({ a: 1 }, { a: 1 }), undefined);
  t.equal(difference({ a: 1, b: 2 }, { a: 1 }), 'b: expected 2; got nothing');
});

t.test('values and outcomes are shown in one line', async (t) => {
  t.equal(show({ data: { s: '1\n' } }), '{"data":"1\\n"}');
  t.equal(show(Buffer.from('24\n')), '"24\\n"');
  t.equal(show('x'.repeat(9), 5), '"xxxx...');
  t.equal(showOutcome({ errno: 'EINVAL', at: 'write' }), 'EINVAL at write');
  t.equal(showOutcome({}), 'null');
});
