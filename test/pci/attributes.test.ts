import t from 'tap';
import { card, fixtureFile, Host } from './host.js';

const T4 = '/sys/bus/pci/devices/0000:3b:00.0';
const PORT = '/sys/bus/pci/devices/0000:3a:00.0';

t.test('a T4 shows what it is', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  const shown = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, host.cat(`${T4}/${name}`)]));
  t.strictSame(
    shown(
      'vendor',
      'device',
      'subsystem_vendor',
      'subsystem_device',
      'class',
      'revision',
      'modalias',
      'irq',
      'enable',
      'power_state',
      'numa_node',
      'local_cpus',
      'local_cpulist',
      'dma_mask_bits',
      'driver_override',
      'max_link_speed',
      'max_link_width',
      'current_link_speed',
      'reset_method',
      'd3cold_allowed',
      'power/control',
      'power/runtime_status',
    ),
    {
      vendor: '0x10de',
      device: '0x1eb8',
      subsystem_vendor: '0x10de',
      subsystem_device: '0x12a2',
      class: '0x030200',
      revision: '0xa1',
      modalias: 'pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00',
      irq: '30',
      enable: '1',
      power_state: 'D0',
      numa_node: '0',
      local_cpus: 'ff',
      local_cpulist: '0-7',
      dma_mask_bits: '47',
      driver_override: '(null)',
      max_link_speed: '8.0 GT/s PCIe',
      max_link_width: '16',
      current_link_speed: '8.0 GT/s PCIe',
      reset_method: 'bus',
      d3cold_allowed: '1',
      'power/control': 'on',
      'power/runtime_status': 'active',
    },
  );
  t.equal(
    host.cat(`${T4}/uevent`),
    [
      'DRIVER=nvidia',
      'PCI_CLASS=30200',
      'PCI_ID=10DE:1EB8',
      'PCI_SUBSYS_ID=10DE:12A2',
      'PCI_SLOT_NAME=0000:3b:00.0',
      'MODALIAS=pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00',
    ].join('\n'),
  );
  t.equal(host.cat(`${T4}/resource`).split('\n').length, 13);
  t.strictSame(host.ls(`${T4}/msi_irqs`), ['121', '122', '123', '124', '125', '126']);
  t.equal(host.cat(`${T4}/msi_irqs/121`), 'msix');
});

t.test('files have the sizes of what they stand for', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  const sizes = ['config', 'resource0', 'resource1', 'resource1_wc', 'resource3', 'vendor'].map(
    (name) => host.process.lstat(`${T4}/${name}`).size,
  );
  t.strictSame(sizes, [4096, 16 << 20, 256 << 20, 256 << 20, 32 << 20, 4096]);
  t.notOk(host.exists(`${T4}/resource2`));
  t.notOk(host.exists(`${T4}/rom`));
});

t.test('a bridge has bus numbers, a bus of its own, and 17 resources', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  t.equal(host.cat(`${PORT}/secondary_bus_number`), '59');
  t.equal(host.cat(`${PORT}/subordinate_bus_number`), '59');
  t.equal(host.cat(`${PORT}/resource`).split('\n').length, 17);
  t.equal(host.cat(`${PORT}/irq`), '120', 'the first vector of MSI stands in for the line');
  t.strictSame(host.ls('/sys/class/pci_bus'), ['0000:00', '0000:3a', '0000:3b']);
  t.equal(
    host.process.readlink('/sys/class/pci_bus/0000:3b'),
    '../../devices/pci0000:3a/0000:3a:00.0/pci_bus/0000:3b',
  );
  t.strictSame(host.ls('/sys/class/pci_bus/0000:3b'), [
    'cpuaffinity',
    'cpulistaffinity',
    'device',
    'power',
    'rescan',
    'subsystem',
    'uevent',
  ]);
  t.ok(host.exists(`${PORT}/reset_subordinate`));
  t.notOk(host.exists(`${T4}/reset_subordinate`));
});

t.test('what a device lacks it has no files for', async (t) => {
  const host = new Host({ name: 'x', pci: { functions: [card()] } });
  const names = host.ls('/sys/bus/pci/devices/0000:00:02.0');
  for (const name of [
    'reset',
    'reset_method',
    'max_link_speed',
    'boot_vga',
    'rom',
    'iommu',
    'waiting_for_supplier',
  ]) {
    t.notOk(names.includes(name), name);
  }
  t.ok(names.includes('link'));
});

t.test('the first display is the one the firmware used', async (t) => {
  const vga = { class: '030000' };
  const functions = [card(vga), card({ ...vga, address: '0000:00:03.0' })];
  const host = new Host({ name: 'x', pci: { functions } });
  t.equal(host.cat('/sys/bus/pci/devices/0000:00:02.0/boot_vga'), '1');
  t.equal(host.cat('/sys/bus/pci/devices/0000:00:03.0/boot_vga'), '0');
});

t.test('configuration space can be read in part and written where it is writable', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  t.equal(host.read(`${T4}/config`, 4).toString('hex'), 'de10b81e');
  t.equal(host.read(`${T4}/config`, 4, 0x100).toString('hex'), '02000125');
  t.equal(host.read(`${T4}/config`, 4, 4096).length, 0);
  const fd = host.process.open(`${T4}/config`, 0o2);
  t.equal(host.process.pwrite(fd, Buffer.from('ffffffff0000', 'hex'), 0), 6);
  host.process.close(fd);
  t.equal(host.read(`${T4}/config`, 6).toString('hex'), 'de10b81e0000');
});

t.test('memory can only be mapped, ports take 1, 2 and 4 bytes', async (t) => {
  const resources = [
    '0x00000000fe000000 0x00000000fe000fff 0x0000000000040200',
    '0x000000000000c000 0x000000000000c01f 0x0000000000040101',
  ];
  const host = new Host({ name: 'x', pci: { functions: [card({ resources })] } });
  const path = '/sys/bus/pci/devices/0000:00:02.0';
  t.throws(() => host.read(`${path}/resource0`, 4), { code: 'EIO' });
  t.strictSame([...host.read(`${path}/resource1`, 2)], [0xff, 0xff]);
  t.throws(() => host.read(`${path}/resource1`, 3), { code: 'EINVAL' });
});
