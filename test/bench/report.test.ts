import t from 'tap';
import { ratioTable, skippedLines, targetTable, timeTable, tripTable } from './report.js';
import { type Operation, Samples } from './samples.js';
import { duration, ratio, table } from './table.js';
import { isMet, targets } from './targets.js';

function add(
  samples: Samples,
  candidate: string,
  operation: Operation,
  devices: number,
  times: number[],
): void {
  for (const [round, p50] of times.entries())
    samples.all.push({
      candidate,
      operation,
      placement: 'one',
      devices,
      round,
      cold: false,
      count: 20,
      p50,
      mean: p50,
    });
}

function some(): Samples {
  const samples = new Samples();
  add(samples, 'fuse', 'open+read+close', 1000, [20_000, 40_000, 20_000]);
  add(samples, 'c', 'open+read+close', 1000, [15_000, 30_000, 15_000]);
  add(samples, 'fuse', 'create', 100, [100_000]);
  add(samples, 'fuse', 'create', 100_000, [140_000]);
  return samples;
}

const targetOf = (samples: Samples, start: string) =>
  targets(samples).find(({ what }) => what.startsWith(start))!;

t.test('words of a table are to the left, numbers to the right, and no line has blanks at its end', (t) => {
  t.equal(
    table(['a', 'n'], [['long', '1'], ['b', '100'], ['c']]),
    'a       n\n----  ---\nlong    1\nb     100\nc',
  );
  t.end();
});

t.test('durations and ratios have three digits that matter', (t) => {
  t.same([12.4, 1234, 56_789, 2.5e6, 1e9].map(duration), ['12 ns', '1.23 us', '56.8 us', '2.5 ms', '1 s']);
  t.same([0.754, 12.345, 345.6, undefined].map(ratio), ['0.75', '12.3', '346', '']);
  t.end();
});

t.test('a row compares everybody with its baseline', (t) => {
  const row = ratioTable(some())
    .split('\n')
    .find((line) => line.startsWith('open'))!;
  t.same(row.split(/\s{2,}/), ['open+read+close', 'one', '1,000', 'c', '0.75', '1.00']);
  t.match(timeTable(some()), /open\+read\+close +one +1,000 +20 us +15 us/);
  t.end();
});

t.test('a row without its baseline is no row', (t) => {
  t.notMatch(ratioTable(some()), 'create');
  t.match(timeTable(some()), 'create');
  t.end();
});

t.test('a target is met, not met, or unknown', (t) => {
  const bound = { what: 'x', bound: '>=', wanted: 0.75 } as const;
  t.equal(isMet({ ...bound, measured: 0.75 }), true);
  t.equal(isMet({ ...bound, measured: 0.7499 }), false);
  t.equal(isMet({ ...bound, measured: undefined }), undefined);
  t.equal(isMet({ what: 'x', bound: '<=', wanted: 0, measured: 0.2 }), false);
  t.end();
});

t.test('more time at many devices than at few misses the target', (t) => {
  const target = targetOf(some(), 'create: p50 at 100,000');
  t.equal(target.measured, 1.4);
  t.equal(isMet(target), false);
  t.match(targetTable([target]), /NO +<= 1\.3 +1\.40/);
  t.end();
});

t.test('a daemon that asks for READ has no passthrough', (t) => {
  const samples = some();
  const what = 'open+read+close, one CPU, ';
  t.equal(targetOf(samples, `${what}direct`).measured, 0.75);
  t.equal(targetOf(samples, `${what}passthrough`).measured, undefined);
  const trips = {
    candidate: 'fuse',
    operation: 'open+read+close',
    devices: 1000,
    notifications: {},
  } as const;
  samples.roundTrips.push({ ...trips, perOperation: 1, requests: { OPEN: 1 } });
  t.equal(targetOf(samples, `${what}direct`).measured, undefined);
  t.equal(targetOf(samples, `${what}passthrough`).measured, 0.75);
  t.end();
});

t.test('round trips are listed by request', (t) => {
  const samples = some();
  t.equal(tripTable(samples), undefined);
  samples.roundTrips.push({
    candidate: 'fuse',
    operation: 'cat',
    devices: 10,
    perOperation: 3,
    requests: { OPEN: 1, READ: 2 },
    notifications: {},
  });
  t.match(tripTable(samples), /fuse +cat +OPEN, 2 READ +10 +3/);
  t.end();
});

t.test('what was left out is said with its reason', (t) => {
  const samples = some();
  samples.skipped.push({ candidate: 'c', operation: 'find', devices: 1000, reason: 'over 20 s' });
  t.same(skippedLines(samples), ['left out: c, find, 1,000 devices: over 20 s']);
  t.end();
});
