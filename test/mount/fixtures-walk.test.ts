import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { libc } from '../conformance/libc/libc.js';
import { processSys } from '../conformance/process.js';
import { expected, fill, parents, walk } from '../machine/walk.js';
import { fixtureFile } from '../pci/host.js';
import { mdevfs, mountpoint } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;

/** Of types that offer tens of thousands. */
const MOST = 100;

/** Nodes that a mount has and the machine alone has not: what steers the daemon. */
const isOfMachine = (node: string) => !node.startsWith('/sys/kernel/debug/mdevfs/');

for (const [name, { parents: count }] of Object.entries(expected)) {
  t.test(
    `${name}, mounted: it shows what the machine is, and every type can be used up`,
    { skip },
    async (t) => {
      const dir = mountpoint(t);
      t.match(mdevfs('mount', '-f', name, dir), { status: 0 });
      const sys = libc(dir);
      const mounted = await walk(sys);
      t.strictSame(mounted.faults, []);
      const inProcess = await walk(processSys(Machine.fromFixture(fixtureFile(`fixtures/${name}.json`))));
      t.strictSame(mounted.nodes.filter(isOfMachine), inProcess.nodes.filter(isOfMachine));
      const all = parents(sys);
      t.equal(all.length, count);
      // Of many that are alike, the first and the last.
      const tried = all.length > 20 ? [all[0]!, all.at(-1)!] : all;
      for (const parent of tried) {
        const { made, faults } = await fill(sys, parent, MOST);
        t.strictSame(faults, []);
        t.ok(made > 0, `${made} devices of ${parent}`);
      }
      t.strictSame((await walk(sys)).nodes, mounted.nodes, 'and nothing is left');
    },
  );
}
