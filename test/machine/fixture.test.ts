import t from 'tap';
import { FixtureError, parseFixture } from '../../src/machine/fixture.js';
import { fixtureFile } from '../pci/host.js';

function faultsOf(fixture: unknown, modules?: string[]): readonly string[] {
  const text = typeof fixture === 'string' ? fixture : JSON.stringify(fixture);
  try {
    parseFixture(text, 'x.json', modules ? { modules } : {});
    return [];
  } catch (error) {
    if (error instanceof FixtureError) return error.faults;
    throw error;
  }
}

const card = { address: '0000:00:02.0', vendor: '1234', device: '5678', class: '020000' };
const vgpu = {
  module: 'm',
  pciDriver: 'p',
  mdevDriver: 'd',
  policy: { rule: 'perType' },
  types: [{ name: 'a', instances: 1 }],
};

for (const name of ['samples', 'nvidia-t4', 'default', 'clients', 's390x']) {
  const file = `fixtures/${name}.json`;
  t.test(`${file} has no faults`, async (t) => {
    t.match(fixtureFile(file), { name, kernel: 'full', arch: name === 's390x' ? 's390x' : 'x86_64' });
  });
}

t.test('text that is no JSON is placed by line and column', async (t) => {
  t.strictSame(faultsOf('{"name": "x",\n  "modules": ["mtty",]}'), ['x.json:2:22: expected a value']);
  t.strictSame(faultsOf(''), ['x.json:1:1: expected a value']);
  t.strictSame(faultsOf('{"name": "x"'), ['x.json:1:13: expected "," or "}"']);
  t.strictSame(faultsOf('{"name" "x"}'), ['x.json:1:9: expected ":"']);
  t.strictSame(faultsOf('{name: "x"}'), [
    'x.json:1:2: expected a string in double quotes, closed on its line',
  ]);
  t.strictSame(faultsOf('["a" "b"]'), ['x.json:1:6: expected "," or "]"']);
  t.strictSame(faultsOf('{} {}'), ['x.json:1:4: expected the end of the file']);
});

for (const [what, fixture, ...faults] of [
  ['no object', [], 'expected an object, got []'],
  ['nothing', {}, 'name: expected a string, got nothing'],
  [
    'wrong values',
    { name: 'x', kernel: 'ful', seqnum: -1, cpus: 1.5 },
    'kernel: expected "full" or "deblike" or "legacy", got "ful"',
    'cpus: expected a whole number, got 1.5',
    'seqnum: expected at least 0, got -1',
  ],
  [
    'unknown keys, with what was meant',
    { name: 'x', modulse: [], zzz: 1 },
    'modulse: unknown key (did you mean "modules"?)',
    'zzz: unknown key',
  ],
  [
    'an unknown key deep down',
    { name: 'x', pci: { functions: [{ ...card, ressources: [] }] } },
    'pci.functions[0].ressources: unknown key (did you mean "resources"?)',
  ],
  [
    'ids',
    { name: 'x', pci: { functions: [{ ...card, vendor: 'zz', address: '00:02.0' }] } },
    'pci.functions[0].address: expected an address such as "0000:01:00.0", got "00:02.0"',
    'pci.functions[0].vendor: expected 4 hexadecimal digits, got "zz"',
  ],
  [
    'one of several shapes',
    { name: 'x', modules: ['a', { nam: 'b' }, 3] },
    'modules[1].name: expected a string, got nothing',
    'modules[1].nam: unknown key (did you mean "name"?)',
    'modules[2]: expected a string or an object, got 3',
  ],
  [
    'adapters and subchannels',
    {
      name: 'x',
      ap: { maxDomain: 256, adapters: [-1], apmask: 'ff' },
      css: { subchannels: [{ id: '0.0.313' }, { id: '0.0.0001', chpids: [1, 2, 3, 4, 5, 6, 7, 8, 9] }] },
    },
    'ap.maxDomain: expected at most 255, got 256',
    'ap.adapters[0]: expected at least 0, got -1',
    'ap.apmask: expected a mask as "0x" and up to 64 hexadecimal digits, number 0 leftmost, got "ff"',
    'css.subchannels[0].id: expected a number such as "0.0.0313", got "0.0.313"',
    'css.subchannels[1].chpids: expected at most 8 in length, got [1,2,3,4,5,6,7,8,9]',
  ],
  [
    'paths and nodes',
    { name: 'x', nodes: { x: '', '/sys/a': { entires: {} }, '/sys/b': { readError: 'EWHAT' } } },
    'nodes.x: expected an absolute path below /sys, got the name "x"',
    'nodes["/sys/a"].entires: unknown key (did you mean "entries"?)',
    'nodes["/sys/b"].readError: expected the name of an errno, such as "EINVAL", got "EWHAT"',
  ],
  [
    'a policy that there is not',
    { name: 'x', pci: {}, vgpus: [{ ...vgpu, policy: { rule: 'none' } }] },
    'vgpus[0].policy.rule: expected a rule of "shared", "perType", "pool", "oneTypePerGpu" or "onePerFunction", got "none"',
  ],
  [
    'a UUID',
    { name: 'x', mdevs: [{ uuid: '1', parent: 'mtty', type: 'mtty-1' }] },
    'mdevs[0].uuid: expected a UUID, got "1"',
  ],
  [
    'a function without a bridge to it',
    { name: 'x', pci: { functions: [{ ...card, address: '0000:01:00.0' }] } },
    'pci.functions[0].address: expected a root bus or a bridge to bus 0000:01 before it',
  ],
  [
    'groups and units that are not there',
    {
      name: 'x',
      iommu: { units: [{ name: 'dmar0' }] },
      pci: { functions: [{ ...card, iommuGroup: 3, iommu: 'dmar1' }] },
    },
    'pci.functions[0].iommuGroup: expected a group of iommu.groups, got 3',
    'pci.functions[0].iommu: expected a unit of iommu.units, got "dmar1" (did you mean "dmar0"?)',
  ],
  [
    'names that stand twice',
    { name: 'x', pci: { functions: [card, card] } },
    'pci.functions[1].address: expected another than pci.functions[0], got "0000:00:02.0" again',
  ],
  [
    'more configuration space than there is',
    { name: 'x', pci: { functions: [{ ...card, config: { fe: '000000' } }] } },
    'pci.functions[0].config: expected at most 256 bytes, got 257',
  ],
  [
    'a vendor driver without a bus',
    { name: 'x', vgpus: [vgpu] },
    'pci: expected a PCI bus, since there are "vgpus"',
  ],
  [
    'a type without the number that its rule needs',
    { name: 'x', pci: {}, vgpus: [{ ...vgpu, types: [{ name: 'a' }] }] },
    'vgpus[0].types[0].instances: expected a number, since the rule is "perType"',
  ],
  [
    'a pool without what a type needs',
    {
      name: 'x',
      pci: {},
      vgpus: [
        {
          ...vgpu,
          policy: { rule: 'pool', resources: { memory: 1 } },
          types: [{ name: 'a', needs: { memroy: 1 } }],
        },
      ],
    },
    'vgpus[0].types[0].needs.memroy: expected a resource of the pool (did you mean "memory"?)',
  ],
] as [string, unknown, ...string[]][]) {
  t.test(`faults: ${what}`, async (t) => {
    t.strictSame([...faultsOf(fixture)].sort(), faults.map((fault) => `x.json: ${fault}`).sort());
  });
}

t.test('module names are checked against those that exist', async (t) => {
  const fixture = { name: 'x', modules: ['mttty', 'm'], pci: {}, vgpus: [vgpu] };
  t.strictSame(faultsOf(fixture, ['mtty']), [
    'x.json: modules[0]: expected a module that exists, got "mttty" (did you mean "mtty"?)',
  ]);
});
