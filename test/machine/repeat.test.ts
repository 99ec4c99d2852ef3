import t from 'tap';
import { checkFixture, type FixtureError, type FixtureInput } from '../../src/machine/fixture.js';
import { card, fixtureFile } from '../pci/host.js';

const NONE = `0x${'0'.repeat(16)} 0x${'0'.repeat(16)} 0x${'0'.repeat(16)}`;

const functionsOf = (change: object, roots = [{ bus: '0000:00', repeat: 4 }]) =>
  checkFixture(
    { name: 'x', iommu: { groups: [{ id: 3, repeat: 70 }] }, pci: { roots, functions: [card(change)] } },
    'x.json',
  ).pci!.functions;

t.test('a function that is repeated stands in slot after slot, bus after bus', async (t) => {
  const addresses = functionsOf({ address: '0000:01:1e.0', repeat: 4 }).map(({ address }) => address);
  t.strictSame(addresses, ['0000:01:1e.0', '0000:01:1f.0', '0000:02:00.0', '0000:02:01.0']);
});

t.test('or counts on another part of its address', async (t) => {
  const last = (step: string, roots?: { bus: string; step?: 'domain'; repeat: number }[]) =>
    functionsOf({ address: '0000:00:02.6', repeat: 3, step }, roots).at(-1)?.address;
  t.equal(last('function'), '0000:00:03.0');
  t.equal(last('slot'), '0000:00:04.6');
  t.equal(last('bus'), '0000:02:02.6');
  t.equal(last('domain', [{ bus: '0000:00', step: 'domain', repeat: 3 }]), '0002:00:02.6');
});

t.test('each copy has the next IOMMU group and the memory after that of the one before', async (t) => {
  const [, , third] = functionsOf({
    iommuGroup: 3,
    repeat: 3,
    resources: ['0x00000000f0000000 0x00000000f0ffffff 0x0000000000040200', NONE],
  });
  t.match(third, {
    iommuGroup: 5,
    repeat: undefined,
    resources: ['0x00000000f2000000 0x00000000f2ffffff 0x0000000000040200', NONE],
  });
});

t.test('root buses, groups, subchannels and devices are repeated', async (t) => {
  const fixture = checkFixture(
    {
      name: 'x',
      iommu: { groups: [{ id: 1, repeat: 2 }, { id: 7 }] },
      pci: { roots: [{ bus: '0000:fe', repeat: 2 }] },
      css: { subchannels: [{ id: '0.1.00ff', device: '0.0.1fff', repeat: 2 }] },
      mdevs: [{ uuid: '83b8f4f2-509f-382f-3c1e-0000000000ff', parent: 'mtty', type: 'mtty-1', repeat: 2 }],
    },
    'x.json',
  );
  t.strictSame(
    fixture.iommu.groups.map(({ id }) => id),
    [1, 2, 7],
  );
  t.strictSame(
    fixture.pci?.roots.map(({ bus }) => bus),
    ['0000:fe', '0000:ff'],
  );
  t.strictSame(
    fixture.css?.subchannels.map(({ id, device }) => [id, device]),
    [
      ['0.1.00ff', '0.0.1fff'],
      ['0.1.0100', '0.0.2000'],
    ],
  );
  t.equal(fixture.mdevs[1]?.uuid, '83b8f4f2-509f-382f-3c1e-000000000100');
});

t.test('faults of copies name the entry that was written, once', async (t) => {
  const faults = (fixture: FixtureInput) => {
    try {
      checkFixture(fixture, 'x.json');
      return [];
    } catch (error) {
      return (error as FixtureError).faults;
    }
  };
  const memory = '0x00000000ff000000 0x00000000ffffffff 0x0000000000040200';
  t.strictSame(
    faults({
      name: 'x',
      pci: {
        roots: [{ bus: '0000:00' }, { bus: '0000:01' }],
        functions: [card({ repeat: 3 }), card({ address: '0000:01:1e.0', repeat: 4, iommuGroup: 1 })],
      },
      iommu: { groups: [{ id: 1, repeat: 4 }] },
    }),
    ['x.json: pci.functions[1].address: expected a root bus or a bridge to bus 0000:02 before it'],
  );
  t.strictSame(faults({ name: 'x', pci: { functions: [card({ repeat: 2, resources: [memory] })] } }), [
    'x.json: pci.functions[0].resources[0]: expected memory below 4 GB, got an end of 0x100ffffff',
  ]);
  const bridge = { '0e': '01', '18': '00010100' };
  t.strictSame(
    faults({ name: 'x', pci: { functions: [card({ class: '060400', config: bridge, repeat: 2 })] } }),
    ['x.json: pci.functions[0]: expected a bridge to a bus that no other leads to, got bus 0000:01'],
  );
});

t.test('the fixture "big" has 128 GPUs on four buses, and no memory twice', async (t) => {
  const { pci } = fixtureFile('fixtures/big.json');
  t.equal(pci?.functions.length, 128);
  t.strictSame(
    [...new Set(pci?.functions.map(({ address, numaNode }) => `${address.slice(0, 7)} ${numaNode}`))],
    ['0000:40 0', '0000:41 0', '0000:c0 1', '0000:c1 1'],
  );
  const ranges = pci!.functions
    .flatMap(({ resources }) => resources)
    .filter((line) => line !== NONE)
    .map((line) => line.split(' ').map(BigInt))
    .sort(([a = 0n], [b = 0n]) => (a < b ? -1 : 1));
  t.equal(ranges.length, 3 * 128);
  for (const [index, [start = 0n]] of ranges.entries()) {
    const [, before = -1n] = ranges[index - 1] ?? [];
    if (start <= before) t.fail(`${start.toString(16)} is in the range before it`);
  }
});
