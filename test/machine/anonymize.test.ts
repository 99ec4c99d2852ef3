import t from 'tap';
import { anonymize } from '../../src/machine/anonymize.js';
import { checkFixture } from '../../src/machine/fixture.js';
import type { Tree } from '../../src/machine/tree.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { card, fixtureFile } from '../pci/host.js';
import { boot, differences, take } from './snapshots.js';

const UUID = 'c0ffee00-1234-5678-9abc-def012345678';
const SERIAL = 'CZ3021ABCD';
const DSN = '0300010078563412aaff5634';

const hostTree = (): Tree => {
  const config = { '100': DSN };
  const fixture = checkFixture(
    {
      name: 'x',
      modules: ['mtty'],
      mdevs: [{ uuid: UUID, parent: 'mtty', type: 'mtty-1' }],
      devices: [
        {
          name: 'id',
          class: 'dmi',
          nodes: {
            product_serial: { content: `${SERIAL}\n`, mode: '0400' },
            chassis_serial: 'To Be Filled By O.E.M.\n',
            note: `${SERIAL} of build7.example.org, known as build7, not rebuild7\n`,
          },
        },
        {
          name: 'eth0',
          class: 'net',
          nodes: { address: '52:54:00:ab:cd:ef\n', broadcast: 'ff:ff:ff:ff:ff:ff\n' },
        },
        {
          name: 'eth1',
          class: 'net',
          nodes: { address: '52:54:00:AB:CD:EF\n', other: '52:54:00:ab:cd:f0\n' },
        },
      ],
      pci: {
        roots: [{ bus: '0000:00' }, { bus: '7f5c:00' }],
        functions: [
          card({ address: '0000:00:02.0', config, configSize: 4096, nodes: { vpd: { hex: '82', size: 0 } } }),
          card({ address: '7f5c:00:02.0', nodes: { label: 'twin of 0000:00:02.0\n' } }),
        ],
      },
    },
    'x',
  );
  return machineTree(boot(fixture));
};

t.test('what tells the machine from others is replaced everywhere, and the same by the same', async (t) => {
  const hidden = anonymize(hostTree(), ['build7', 'build7.example.org']);
  const uuid = '00000000-0000-4000-8000-000000000001';
  const net = '/sys/devices/virtual/net';
  t.equal(hidden.text(`${net}/eth0/address`), '02:00:00:00:00:01');
  t.equal(hidden.text(`${net}/eth0/broadcast`), 'ff:ff:ff:ff:ff:ff');
  t.equal(hidden.text(`${net}/eth1/address`), '02:00:00:00:00:01');
  t.equal(hidden.text(`${net}/eth1/other`), '02:00:00:00:00:02');
  t.equal(hidden.target(`/sys/bus/mdev/devices/${uuid}`), `/sys/devices/virtual/mtty/mtty/${uuid}`);
  t.ok(hidden.dir(`/sys/devices/virtual/mtty/mtty/${uuid}`));
  const id = '/sys/devices/virtual/dmi/id';
  t.equal(hidden.text(`${id}/product_serial`), '0000000001');
  t.equal(hidden.text(`${id}/chassis_serial`), 'To Be Filled By O.E.M.');
  t.equal(hidden.text(`${id}/note`), '0000000001 of host, known as host, not rebuild7');
  t.equal(hidden.target('/sys/bus/pci/devices/0001:00:02.0'), '/sys/devices/pci0001:00/0001:00:02.0');
  t.equal(hidden.text('/sys/devices/pci0001:00/0001:00:02.0/label'), 'twin of 0000:00:02.0');
  t.match(hidden.text('/sys/devices/pci0001:00/0001:00:02.0/uevent'), 'PCI_SLOT_NAME=0001:00:02.0');
  t.ok(hidden.dir('/sys/devices/pci0001:00/pci_bus/0001:00'));
  const config = Buffer.from(hidden.bytes('/sys/devices/pci0000:00/0000:00:02.0/config')!);
  t.equal(config.toString('hex', 0x100, 0x10c), '030001000200000000000000');
  t.equal(hidden.bytes('/sys/devices/pci0000:00/0000:00:02.0/vpd')?.length, 0);
});

t.test('nothing of it is left in the file, which shows what was replaced', async (t) => {
  const hidden = anonymize(hostTree(), ['build7']);
  const { text, tree } = take(hidden);
  t.strictSame(differences(tree, hidden), []);
  for (const secret of [UUID, SERIAL, '52:54:00', '7f5c', '78563412', /(?<![a-z])build7/]) {
    t.notMatch(text, secret);
  }
});

t.test('twice is the same, and a host without secrets stays as it is', async (t) => {
  t.equal(take(anonymize(hostTree())).text, take(anonymize(hostTree())).text);
  const tree = () => machineTree(boot(fixtureFile('fixtures/samples.json')));
  t.strictSame(differences(anonymize(tree()), tree()), []);
});
