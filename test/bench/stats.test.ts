import t from 'tap';
import { median, quantile, speedRatio } from './stats.js';

t.test('a median is the middle value, or between the two in the middle', (t) => {
  t.equal(median([9, 1, 5]), 5);
  t.equal(median([10, 2, 4, 1000]), 7);
  t.equal(median([]), undefined);
  t.end();
});

t.test('a median sorts by size, and leaves what it is given alone', (t) => {
  const values = [100, 20, 3];
  t.equal(median(values), 20);
  t.same(values, [100, 20, 3]);
  t.end();
});

t.test('a ratio compares times of the same round only', (t) => {
  // The machine got ten times slower after the first round; one is twice as fast in both.
  const fast = new Map([
    [0, 1],
    [1, 10],
  ]);
  const slow = new Map([
    [0, 2],
    [1, 20],
    [2, 5000],
  ]);
  t.equal(speedRatio(fast, slow), 2);
  t.equal(speedRatio(slow, fast), 0.5);
  t.equal(speedRatio(fast, new Map([[7, 1]])), undefined);
  t.end();
});

t.test('a part of all values is not above the quantile', (t) => {
  const values = [50, 10, 40, 20, 30, 100, 90, 80, 70, 60];
  t.same(
    [0, 0.1, 0.11, 0.5, 1].map((part) => quantile(values, part)),
    [10, 10, 20, 50, 100],
  );
  t.equal(quantile([], 0.1), undefined);
  t.end();
});
