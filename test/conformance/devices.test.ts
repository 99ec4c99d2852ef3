import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { lacking } from '../clients/client.js';
import { mdevfs } from '../mount/command.js';
import { RunBench } from './devices.js';
import { replay } from './replay.js';
import { type Count, Report } from './report.js';

const dir = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));

/** Why programs under `mdevfs run` have no VFIO devices here. */
function noDevices(): string | false {
  const lacks = lacking('cc');
  if (lacks) return lacks;
  const { status } = mdevfs('run', '--', 'test', '-e', '/run/mdevfs/placeholders');
  return status === 0 ? false : 'this machine refuses a seccomp listener';
}

const skip = noDevices();

t.test(
  'recordings on device files, with real descriptors and memory',
  { skip, timeout: 240_000 },
  async (t) => {
    const lines: string[] = [];
    const report = new Report('run', {
      verbose: false,
      maxMismatches: 20,
      print: (line) => lines.push(line),
    });
    const bench = new RunBench();
    t.teardown(() => bench.close());
    await replay({ dir, only: /^(ioctl|tools)\// }, bench, report);
    const inFiles = (pattern: RegExp): Count => {
      const counts = [...report.files].filter(([file]) => pattern.test(file)).map(([, count]) => count);
      const sum = (field: keyof Count): number => counts.reduce((all, count) => all + count[field], 0);
      return { matched: sum('matched'), excused: sum('excused'), total: sum('total') };
    };
    /** Without KVM, cases that use it are excused as a whole. */
    const compare = (t: Test, pattern: RegExp, expected: Count): void => {
      const count = inFiles(pattern);
      t.equal(count.matched + count.excused, count.total, { said: lines });
      if (existsSync('/dev/kvm')) t.same(count, expected, { said: lines });
    };

    t.test('every step of QEMU comes right, with the KVM of this machine', async (t) => {
      compare(t, /tools\/ioctl-/, { matched: 255, excused: 0, total: 255 });
    });
    t.test('every step on the VFIO device of a VM comes right', async (t) => {
      compare(t, /ioctl\/kvm-host/, { matched: 142, excused: 0, total: 142 });
    });
    t.test('every step of the hand-written cases comes right or is excused', async (t) => {
      compare(t, /ioctl\/vfio/, { matched: 2066, excused: 86, total: 2152 });
    });
    t.test('random steps come right, but those on devices that are not bound yet', async (t) => {
      compare(t, /ioctl\/vfuzz/, { matched: 12_999, excused: 760, total: 13_759 });
    });
  },
);
