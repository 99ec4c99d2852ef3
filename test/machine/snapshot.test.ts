import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkFixture } from '../../src/machine/fixture.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { uuidOf } from '../mdev/machine.js';
import { card, fixtureFile } from '../pci/host.js';
import { boot, differences, take } from './snapshots.js';

const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const jsonFiles = (dir: string) =>
  readdirSync(root(dir))
    .filter((name) => name.endsWith('.json') && name !== 'schema.json')
    .map((name) => `${dir}/${name}`);

for (const file of [...jsonFiles('fixtures'), ...jsonFiles('test/conformance/hosts')]) {
  t.test(`${file}: a snapshot shows the same tree, and a snapshot of that is the same file`, async (t) => {
    const tree = machineTree(boot(fixtureFile(file)));
    const first = take(tree);
    t.strictSame(differences(first.tree, tree), []);
    t.equal(first.reported, 0);
    t.equal(take(first.tree).text, first.text);
    t.equal(take(machineTree(boot(fixtureFile(file)))).text, first.text, 'repeated');
  });
}

t.test('mediated devices keep their numbers, also with gaps and without a driver', async (t) => {
  const machine = boot(fixtureFile('fixtures/default.json'));
  for (let n = 0; n < 5; n++) machine.createMdev('mtty', 'mtty-1', uuidOf(n));
  machine.createMdev('0000:3b:00.0', 'nvidia-222', uuidOf(5));
  machine.createMdev('0000:3b:00.0', 'nvidia-222', uuidOf(6));
  for (const n of [1, 3, 5]) machine.write(`/sys/bus/mdev/devices/${uuidOf(n)}/remove`, '1');
  machine.unbind(`/sys/bus/mdev/devices/${uuidOf(2)}`);
  const tree = machineTree(machine);
  const { tree: shown, fixture, machine: live } = take(tree);
  t.strictSame(differences(shown, tree), []);
  t.strictSame(
    fixture.mdevs.map(({ uuid, unbound }) => [uuid, unbound]),
    [
      [uuidOf(0), undefined],
      [uuidOf(4), undefined],
      [uuidOf(6), undefined],
      [uuidOf(2), true],
    ],
  );

  // It works: one more device, one too many, and one of another type than the GPU has.
  const shell = live.process();
  const available = (type: string) => {
    const fd = shell.open(
      `/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types/${type}/available_instances`,
      0,
    );
    return Buffer.from(shell.read(fd, 100)).toString();
  };
  t.equal(available('nvidia-222'), '15\n');
  t.equal(available('nvidia-223'), '0\n');
  live.createMdev('0000:3b:00.0', 'nvidia-222', uuidOf(9));
  t.equal(available('nvidia-222'), '14\n');
  t.throws(() => live.createMdev('0000:3b:00.0', 'nvidia-223', uuidOf(10)), { code: 'ENOSPC' });
  t.throws(() => live.createMdev('0000:3b:00.0', 'nvidia-222', uuidOf(0)), { code: 'EEXIST' });
});

t.test('what is assigned to a matrix is assigned again, and nobody else can have it', async (t) => {
  const machine = boot(fixtureFile('fixtures/s390x.json'));
  machine.createMdev('matrix', 'vfio_ap-passthrough', uuidOf(0));
  const [adapter, domain] = [5, 4];
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_adapter`, String(adapter));
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_domain`, String(domain));
  const tree = machineTree(machine);
  const { tree: shown, machine: live } = take(tree);
  t.strictSame(differences(shown, tree), []);
  live.createMdev('matrix', 'vfio_ap-passthrough', uuidOf(1));
  live.write(`/sys/bus/mdev/devices/${uuidOf(1)}/assign_adapter`, String(adapter));
  t.throws(() => live.write(`/sys/bus/mdev/devices/${uuidOf(1)}/assign_domain`, String(domain)), {
    code: 'EADDRINUSE',
  });
});

t.test('cryptographic adapters are found with what they are, and who has their queues', async (t) => {
  const machine = boot(fixtureFile('fixtures/s390-ap.json'));
  machine.write('/sys/bus/ap/apmask', '+0x5');
  const tree = machineTree(machine);
  const { tree: shown, machine: live, fixture } = take(tree);
  t.strictSame(differences(shown, tree), []);
  t.strictSame(fixture.ap?.adapters, [
    { id: 0, type: 'CEX7C', depth: 7, serial: '93AABEET' },
    { id: 1, type: 'CEX7A', depth: 7, serial: '' },
    { id: 5, type: 'CEX7C', depth: 7, serial: '93AABHCW' },
    { id: 6, type: 'CEX7P', depth: 7, serial: '93AADHZU' },
  ]);
  t.strictSame(fixture.overrides, {});
  t.equal(live.process().realpath('/sys/devices/ap/card05/05.0004/driver'), '/sys/bus/ap/drivers/cex4queue');
});

t.test('virtual functions come with their physical one, and their devices with them', async (t) => {
  const machine = boot(fixtureFile('fixtures/nvidia-a100-sriov.json'));
  const [parent] = machine.process().list('/sys/class/mdev_bus').sort();
  const types = `/sys/class/mdev_bus/${parent}/mdev_supported_types`;
  const [type] = machine.process().list(types).sort();
  machine.createMdev(parent!, type!, uuidOf(0));
  const tree = machineTree(machine);
  const { tree: shown, fixture, machine: live } = take(tree);
  t.strictSame(differences(shown, tree), []);
  t.equal(fixture.vgpus[0]!.policy.rule, 'onePerFunction');
  t.equal(fixture.pci!.functions.filter(({ sriov }) => sriov && sriov.numVfs > 0).length, 1);
  t.throws(() => live.createMdev(parent!, type!, uuidOf(1)), { code: 'ENOSPC' });
});

t.test(
  'functions without the driver that would take them stay without, others with an override with it',
  async (t) => {
    const fixture = checkFixture(
      {
        name: 'x',
        pci: {
          functions: ['0000:00:02.0', '0000:00:03.0', '0000:00:04.0'].map((address) => card({ address })),
          drivers: [{ name: 'one', ids: ['1234:*'] }, { name: 'other' }],
        },
      },
      'x',
    );
    const machine = boot(fixture);
    machine.unbind('/sys/bus/pci/devices/0000:00:03.0');
    machine.unbind('/sys/bus/pci/devices/0000:00:04.0');
    machine.write('/sys/bus/pci/devices/0000:00:04.0/driver_override', 'other');
    machine.write('/sys/bus/pci/drivers_probe', '0000:00:04.0');
    const tree = machineTree(machine);
    const { tree: shown, machine: live } = take(tree);
    t.strictSame(differences(shown, tree), []);
    const shell = live.process();
    t.notOk(shell.exists('/sys/bus/pci/devices/0000:00:03.0/driver'));
    t.ok(shell.exists('/sys/bus/pci/drivers/other/0000:00:04.0'));
    live.write('/sys/bus/pci/drivers/one/bind', '0000:00:03.0');
    t.ok(shell.exists('/sys/bus/pci/drivers/one/0000:00:03.0'));
  },
);

t.test('a file in place of another shows its text until something is written', async (t) => {
  const machine = boot(fixtureFile('fixtures/default.json'));
  const control = '/sys/bus/pci/devices/0000:3b:00.0/power/control';
  const read = (of: typeof machine) => {
    const shell = of.process();
    return Buffer.from(shell.read(shell.open(control, 0), 100)).toString();
  };
  const before = read(machine);
  const written = before === 'on\n' ? 'auto' : 'on';
  machine.write(control, written);
  const tree = machineTree(machine);
  const { tree: shown, machine: live } = take(tree);
  t.strictSame(differences(shown, tree), []);
  t.equal(read(live), `${written}\n`);
  live.write(control, before.trim());
  t.equal(read(live), before);
  t.throws(() => live.write(control, 'never'), { code: 'EINVAL' });
});

t.test('what is on no bus and in no class is there as nodes, whatever it is', async (t) => {
  const nodes = {
    '/sys/kernel/mm': {
      entries: { text: 'x\n', empty: {}, secret: { content: 'y', mode: '0600', size: 1 } },
    },
    '/sys/firmware/blob': { hex: '000102ff' },
    '/sys/firmware/huge': { hex: '', size: 5_000_000 },
    '/sys/firmware/broken': { readError: 'EIO' as const },
    '/sys/firmware/poke': { mode: '0200' },
    '/sys/firmware/braces': '{name} {ifindex}\n',
    '/sys/firmware/link': { target: '/sys/kernel/mm' },
    '/sys/firmware/closed': { mode: '0700', entries: { in: 'side' } },
  };
  const device = {
    name: 'lo',
    class: 'net',
    nodes: { note: '{other}\n', power: { entries: { more: 'z' } } },
  };
  const tree = machineTree(boot(checkFixture({ name: 'x', nodes, devices: [device] }, 'x')));
  const { tree: shown, fixture } = take(tree);
  t.strictSame(differences(shown, tree), []);
  t.strictSame(
    fixture.devices.map(({ name, class: of }) => [name, of]),
    [['lo', 'net']],
  );
  t.strictSame(fixture.devices[0]!.nodes, device.nodes);
});
