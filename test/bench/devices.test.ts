import t from 'tap';
import { compareTimes, devicesTable, parseTimes } from './devices.js';
import { Samples } from './samples.js';
import { isMet, targets } from './targets.js';

/** Turns of which the fastest tenth takes `fast`, and all others `slow`. */
const turns = (fast: number, slow: number) =>
  Array.from({ length: 20 }, (_, i) => (i % 10 === 3 ? fast : slow));

const lines = [
  { operation: 'read', server: 0, times: turns(6000, 90_000) },
  { operation: 'read', server: 1, times: turns(4800, 45_000) },
  { operation: 'ioctl', server: 0, times: turns(20_000, 20_000) },
  { operation: 'ioctl', server: 1, times: turns(10_000, 30_000) },
];
const measured = compareTimes(parseTimes(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`));

t.test('devices are compared by the turns in which nobody disturbed them', async (t) => {
  t.same(
    measured.map(({ ratio, medianRatio }) => [ratio, medianRatio]),
    [
      [0.8, 0.5],
      [0.5, 1.5],
      [undefined, undefined],
    ],
  );
  t.equal(
    devicesTable(measured),
    [
      'operation             mdevfs       C  times as fast as C  median of rounds',
      '--------------------  ------  ------  ------------------  ----------------',
      'region read, 4 bytes    6 us  4.8 us                0.80              0.50',
      'ioctl with a struct    20 us   10 us                0.50              1.50',
      'doorbell to eventfd',
    ].join('\n'),
  );
});

t.test('each call of a device has a target, but for one that is copied by another process', async (t) => {
  const list = targets(new Samples(), 0, undefined, measured).slice(-2);
  t.same(
    list.map(({ what }) => what),
    ['region read, 4 bytes, one CPU: x C', 'doorbell to eventfd, one CPU: x C'],
  );
  t.same(list.map(isMet), [false, undefined]);
});
