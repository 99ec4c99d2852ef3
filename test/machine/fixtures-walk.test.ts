import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { processSys } from '../conformance/process.js';
import { fixtureFile } from '../pci/host.js';
import { fixtureNames } from '../../src/cli/fixture.js';
import { expected, fill, mostOf, parents, walk } from './walk.js';

t.strictSame(fixtureNames(), Object.keys(expected).sort(), 'every fixture is walked');

for (const [name, { parents: count, devices }] of Object.entries(expected)) {
  t.test(`${name}: everything can be read, and every type be used up`, async (t) => {
    const sys = processSys(Machine.fromFixture(fixtureFile(`fixtures/${name}.json`)));
    const before = await walk(sys);
    t.strictSame(before.faults, []);
    t.equal(parents(sys).length, count);
    let made = 0;
    const faults: string[] = [];
    for (const parent of parents(sys)) {
      const filled = await fill(sys, parent, mostOf(name));
      made += filled.made;
      faults.push(...filled.faults);
    }
    t.strictSame(faults, []);
    t.equal(made, devices);
    t.strictSame((await walk(sys)).nodes, before.nodes, 'and nothing is left');
  });
}
