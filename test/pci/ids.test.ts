import t from 'tap';
import { PciFunction } from '../../src/pci/function.js';
import { PCI_ANY_ID, parsePciId, pciMatchOneDevice, scanPciId } from '../../src/pci/ids.js';
import { errnoOf } from './host.js';

const gpu = new PciFunction({
  address: '0000:3b:00.0',
  vendor: 0x10de,
  device: 0x1eb8,
  class: 0x030200,
  revision: 0xa1,
  subsystemVendor: 0x10de,
  subsystemDevice: 0x12a2,
  config: new Uint8Array(),
  configSize: 256,
  resources: [],
  irq: 0,
  numaNode: -1,
  enabled: false,
});

for (const [text, matches] of [
  ['10de:1eb8', true],
  ['10de:*', true],
  ['*:*', true],
  ['10de:1eb9', false],
  ['10de:1eb8:10de:12a2', true],
  ['10de:1eb8:*:1234', false],
  ['*:* 030000/ff0000', true],
  ['*:* 030200', true],
  ['*:* 030000', false],
] as const) {
  t.test(`${text} ${matches ? 'takes' : 'leaves'} a T4`, async (t) => {
    t.equal(pciMatchOneDevice(parsePciId(text), gpu), matches);
  });
}

t.test('a new id is two to seven hexadecimal numbers', async (t) => {
  t.match(scanPciId('10de 1eb8'), { fields: 2, id: { vendor: 0x10de, subvendor: PCI_ANY_ID, classMask: 0 } });
  t.match(scanPciId('10de 1eb8 10de 12a2 30200 ffffff 1f\n'), {
    fields: 7,
    id: { subdevice: 0x12a2, class: 0x30200, classMask: 0xffffff, driverData: 0x1fn },
  });
  t.equal(scanPciId('0x10de 0x1eb8 nothing').fields, 2);
  for (const text of ['', '10de', 'x', '10de-1eb8'])
    t.equal(
      errnoOf(() => scanPciId(text)),
      'EINVAL',
      text,
    );
});
