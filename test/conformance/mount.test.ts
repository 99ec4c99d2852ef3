import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { MountBench } from './mount.js';
import { replay } from './replay.js';
import { Report } from './report.js';

const dir = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));

function skipReason(): string | false {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return '/dev/fuse is not there';
  }
}

async function over(t: Test, only: RegExp): Promise<{ report: Report; lines: string[] }> {
  const lines: string[] = [];
  const report = new Report('mount', {
    verbose: false,
    maxMismatches: 20,
    print: (line) => lines.push(line),
  });
  const bench = new MountBench('mount');
  t.teardown(() => bench.close());
  await replay({ dir, only }, bench, report);
  return { report, lines };
}

function missed({ totals }: Report): number {
  return totals.steps.total - totals.steps.matched - totals.steps.excused;
}

t.test('recordings over a mount', { skip: skipReason(), timeout: 240_000 }, async (t) => {
  t.test('at least 98 % of the random steps come right, and the others are excused', async (t) => {
    const { report, lines } = await over(t, /^cases\/fuzz/);
    const { matched, total } = report.totals.steps;
    t.equal(total, 14_535);
    t.ok(matched / total >= 0.98, { matched, said: lines });
    t.equal(missed(report), 0, { said: lines });
  });

  t.test('every hand-written step comes right or is excused', async (t) => {
    const { report, lines } = await over(t, /^cases\/(sysfs|extra)/);
    t.equal(missed(report), 0, { said: lines });
  });

  t.test('every node of the mtty snapshots is as recorded', async (t) => {
    const { report, lines } = await over(t, /^snapshots\/mtty/);
    const { matched, total } = report.totals.nodes;
    t.ok(total > 3000);
    t.equal(matched, total, { said: lines });
  });
});
