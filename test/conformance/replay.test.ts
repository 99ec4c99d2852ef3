import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ProcessBench } from './bench.js';
import { nodeExclusions, stepExceptions } from './exceptions.js';
import type { Transport } from './host.js';
import { replay } from './replay.js';
import { type Count, Report } from './report.js';

const dir = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));
const lines: string[] = [];
const report = new Report('process', {
  verbose: false,
  maxMismatches: 20,
  print: (line) => lines.push(line),
});
const bench = new ProcessBench();
t.teardown(() => bench.close());
await replay({ dir }, bench, report);

/** What neither matched nor is excused, as a share of all. */
const missed = ({ matched, excused, total }: Count): number => (total - matched - excused) / total;
const inFiles = (pattern: RegExp): Count => {
  const counts = [...report.files].filter(([file]) => pattern.test(file)).map(([, count]) => count);
  const sum = (field: keyof Count): number => counts.reduce((all, count) => all + count[field], 0);
  return { matched: sum('matched'), excused: sum('excused'), total: sum('total') };
};
const said = { said: lines };

t.test('every node of every snapshot is as recorded', async (t) => {
  t.equal(report.totals.nodes.total, 13_932);
  t.equal(report.totals.nodes.matched, report.totals.nodes.total, said);
});

t.test('every uevent is as recorded', async (t) => {
  t.equal(report.totals.events.total, 209);
  t.equal(report.totals.events.matched, report.totals.events.total, said);
});

t.test(
  'at least 98 % of the steps of the hand-written cases come right, and the others are excused',
  async (t) => {
    const count = inFiles(/cases\/(sysfs|extra)/);
    t.equal(count.total, 2322);
    t.equal(
      count.excused,
      38,
      'no more is excused than hand-made nodes, pipes, and what else has no counterpart here',
    );
    t.equal(missed(count), 0, { ...said, count });
    t.ok(count.matched / count.total >= 0.98, { ...said, count });
  },
);

t.test('every random step comes right, none of them excused', async (t) => {
  const count = inFiles(/cases\/fuzz/);
  t.equal(count.total, 14_535);
  t.equal(count.excused, 0);
  t.equal(missed(count), 0, { ...said, count });
});

t.test('of the cases on device files 98 % come right, and the others are excused', async (t) => {
  const count = inFiles(/ioctl\/(vfio|kvm-host)/);
  t.equal(count.total, 2294);
  t.ok(count.matched / count.total >= 0.98, { ...said, count });
  t.equal(count.excused, 44);
  t.equal(missed(count), 0, { ...said, count });
});

t.test('every random step on device files comes right, none of them excused', async (t) => {
  const count = inFiles(/ioctl\/vfuzz/);
  t.equal(count.total, 13_759);
  t.equal(count.excused, 0);
  t.equal(missed(count), 0, { ...said, count });
});

t.test('QEMU gets the answers that it got from the kernel', async (t) => {
  const count = inFiles(/tools\/ioctl-/);
  t.equal(count.total, 255);
  t.equal(count.matched, count.total, { ...said, count });
});

t.test('the list of exceptions does not grow unseen', async (t) => {
  const over = (transport: Transport) =>
    [...stepExceptions, ...nodeExclusions].filter((rule) => rule.over.includes(transport)).length;
  t.equal(over('process'), 11);
  t.equal(over('mount'), 19);
  t.equal(over('run'), 18);
});
