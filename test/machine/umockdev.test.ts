import t from 'tap';
import { isUmockdev, UmockdevError, umockdevTree } from '../../src/machine/umockdev.js';
import { differences, take } from './snapshots.js';

const recording = `# a comment
P: /devices/pci0000:00/0000:00:02.0
E: DRIVER=examplegpu
E: PCI_CLASS=30000
E: PCI_ID=1234:1111
E: PCI_SUBSYS_ID=0000:0000
E: PCI_SLOT_NAME=0000:00:02.0
E: MODALIAS=pci:v00001234d00001111sv00000000sd00000000bc03sc00i00
E: SUBSYSTEM=pci
E: ID_VENDOR_FROM_DATABASE=Example
A: class=0x030000\\n
H: config=34121111070400000000000300000000
A: device=0x1111\\n
L: driver=../../../bus/pci/drivers/examplegpu
L: iommu_group=../../../kernel/iommu_groups/3
A: mdev_supported_types/examplegpu-big/available_instances=1\\n
A: mdev_supported_types/examplegpu-big/description=one \\"big\\"\\nand a line\\n
A: mdev_supported_types/examplegpu-big/device_api=vfio-pci\\n
A: mdev_supported_types/examplegpu-big/name=Example Big\\n
A: mdev_supported_types/examplegpu-small/available_instances=4\\n
A: mdev_supported_types/examplegpu-small/device_api=vfio-pci\\n
A: mdev_supported_types/examplegpu-small/name=Example Small\\n
A: revision=0x03\\n
A: vendor=0x1234\\n

P: /devices/virtual/net/tap0
E: IFINDEX=7
E: INTERFACE=tap0
E: SUBSYSTEM=net
E: TAGS=:systemd:
A: address=02:00:00:00:00:01\\n
A: ifindex=7\\n

P: /devices/platform/example.0
E: SUBSYSTEM=platform
A: odd=\\\\ \\303\\n

P: /devices/virtual/tty/ttyX0
N: ttyX0
S: serial/by-id/x
E: DEVNAME=/dev/ttyX0
E: MAJOR=4
E: MINOR=240
E: SUBSYSTEM=tty
A: dev=4:240\\n
`;

t.test('a recording becomes a tree, with the links that follow from it', async (t) => {
  t.ok(isUmockdev(recording));
  const tree = umockdevTree(recording);
  const card = '/sys/devices/pci0000:00/0000:00:02.0';
  t.equal(tree.target('/sys/bus/pci/devices/0000:00:02.0'), card);
  t.equal(tree.target('/sys/bus/pci/drivers/examplegpu/0000:00:02.0'), card);
  t.equal(tree.target('/sys/kernel/iommu_groups/3/devices/0000:00:02.0'), card);
  t.equal(tree.target('/sys/class/net/tap0'), '/sys/devices/virtual/net/tap0');
  t.equal(tree.text('/sys/devices/virtual/net/tap0/uevent'), 'IFINDEX=7\nINTERFACE=tap0');
  t.equal(tree.target('/sys/bus/platform/devices/example.0'), '/sys/devices/platform/example.0');
  t.equal(tree.text('/sys/devices/virtual/tty/ttyX0/uevent'), 'MAJOR=4\nMINOR=240\nDEVNAME=ttyX0');
  t.equal(tree.target('/sys/dev/char/4:240'), '/sys/devices/virtual/tty/ttyX0');
  t.match(tree.text(`${card}/uevent`), /^DRIVER=examplegpu\nPCI_CLASS=30000\n/);
});

t.test('a host of it shows the recording, and its parent works', async (t) => {
  const tree = umockdevTree(recording);
  const { tree: shown, fixture, machine } = take(tree);
  t.strictSame(
    differences(shown, umockdevTree(recording)).filter((line) => !/\/config: /.test(line)),
    [],
  );
  t.strictSame(
    fixture.vgpus.map(({ pciDriver, ids, policy, types }) => [pciDriver, ids, policy.rule, types.length]),
    [['examplegpu', ['1234:1111'], 'perType', 2]],
  );
  t.equal(fixture.pci?.functions[0]?.iommuGroup, 3);
  t.strictSame(fixture.devices.map(({ name }) => name).sort(), ['tap0', 'ttyX0']);
  const create = (n: number) =>
    machine.createMdev('0000:00:02.0', 'examplegpu-big', `83b8f4f2-509f-382f-3c1e-e6bfe0fa100${n}`);
  create(1);
  t.throws(() => create(2), { code: 'ENOSPC' });
});

t.test('a line that is none is named', async (t) => {
  const fails = (text: string, message: string) =>
    t.throws(() => umockdevTree(text), new UmockdevError(Number(message[0]), message.slice(2)));
  fails('A: x=1\n', '1 expected "P: " first');
  fails('P: /devices/x\nwhat\n', '2 expected a letter, ": " and more');
  fails('P: /devices/x\nZ: a=b\n', '2 expected P, N, S, E, A, H or L, got Z');
  fails('P: /devices/x\nA: none\n', '2 expected NAME=VALUE');
  fails('P: /devices/x\nH: a=0\n', '2 expected pairs of hexadecimal digits');
  fails('P: /devices/x\nA: ../y=1\n', '2 expected a name below the device');
  fails('P: /etc/passwd\n', '1 expected a path below /devices');
  t.notOk(isUmockdev('{"name": "x"}'));
});
