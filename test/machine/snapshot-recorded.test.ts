import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { recordedTree } from '../conformance/hosts/recorded-tree.js';
import type { Snapshot } from '../conformance/recording.js';
import { differences, take } from './snapshots.js';

const oracle = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));

/** Time went by on the recorded machine. */
const passed = /\/power\/runtime_(active|suspended)_time: /;

for (const dir of ['snapshots', 'deblike']) {
  for (const file of readdirSync(oracle + dir).sort()) {
    t.test(`${dir}/${file}: a real kernel's tree becomes a host that shows it`, async (t) => {
      const recorded = () =>
        recordedTree(JSON.parse(readFileSync(`${oracle}${dir}/${file}`, 'utf8')) as Snapshot);
      const tree = recorded();
      const first = take(tree);
      t.strictSame(
        differences(first.tree, recorded()).filter((line) => !passed.test(line)),
        [],
      );
      t.equal(take(first.tree).text, first.text);
      const mdevs = tree.names('/sys/bus/mdev/devices');
      t.strictSame(first.fixture.mdevs.map(({ uuid }) => uuid).sort(), mdevs, 'devices are live');
    });
  }
}
