import t from 'tap';
import { after, andThen, eachInTurn, Mutex } from '../../src/lib/sleep.js';

t.test('what does not sleep stays in one turn', async (t) => {
  const seen: string[] = [];
  after(1, () => seen.push('after'));
  eachInTurn(['a', 'b'], (item) => {
    seen.push(item);
  });
  new Mutex().hold(() => {
    seen.push('held');
  });
  t.strictSame(seen, ['after', 'a', 'b', 'held']);
});

t.test('a sleeping step holds up the next one only', async (t) => {
  const seen: string[] = [];
  let wake = () => {};
  const done = eachInTurn(['a', 'b'], (item) => {
    seen.push(item);
    return item === 'a' ? new Promise<void>((resolve) => (wake = resolve)) : undefined;
  });
  t.strictSame(seen, ['a']);
  wake();
  await done;
  t.strictSame(seen, ['a', 'b']);
});

t.test('a lock lets holders in by order of arrival', async (t) => {
  const lock = new Mutex();
  const seen: string[] = [];
  let wake = () => {};
  const first = lock.hold(() => new Promise<void>((resolve) => (wake = resolve)));
  const second = lock.hold(() => void seen.push('second'));
  t.ok(lock.held);
  t.strictSame(seen, []);
  wake();
  await Promise.all([first, second]);
  t.strictSame(seen, ['second']);
  await null;
  t.notOk(lock.held);
});

t.test('a failing holder lets the next one in', async (t) => {
  const lock = new Mutex();
  const failed = lock.hold(() => Promise.reject(new Error('no')));
  const next = lock.hold(() => 'in');
  await t.rejects(failed as Promise<never>, /no/);
  t.equal(await next, 'in');
});

t.test('cleanup runs whether the body returns, throws or fails later', async (t) => {
  let cleaned = 0;
  const clean = () => void cleaned++;
  t.equal(
    andThen(() => 1, clean),
    1,
  );
  t.throws(() =>
    andThen(() => {
      throw new Error('now');
    }, clean),
  );
  await t.rejects(andThen(() => Promise.reject(new Error('later')), clean) as Promise<never>);
  t.equal(cleaned, 3);
});
