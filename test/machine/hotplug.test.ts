import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { profiles } from '../../src/base/profile.js';
import { asleep } from '../../src/lib/sleep.js';
import { checkFixture, type FixtureInput } from '../../src/machine/fixture.js';
import { images } from '../../src/machine/images.js';
import { Machine } from '../../src/machine/machine.js';
import { diffTrees } from '../../src/machine/tree-diff.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { errnoOf, fixtureFile } from '../pci/host.js';
import { StoppedClock } from './stopped-clock.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const UUID2 = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1002';
const GPU = '0000:3b:00.0';
const HOTPLUG = '/sys/kernel/debug/mdevfs/hotplug';

class Shell {
  readonly machine: Machine;
  readonly process;
  readonly #events: string[] = [];

  constructor(fixture: FixtureInput | string) {
    const checked =
      typeof fixture === 'string' ? fixtureFile(`fixtures/${fixture}.json`) : checkFixture(fixture, 'test');
    this.machine = Machine.fromFixture(checked, {
      fixtures: new Map(['nvidia-t4', 's390x'].map((name) => [name, fixtureFile(`fixtures/${name}.json`)])),
    });
    this.process = this.machine.process();
    this.machine.uevents.subscribe(({ action, devpath, env }) => {
      const state = env.find((variable) => variable.startsWith('MDEV_STATE='));
      this.#events.push(`${action}@${devpath}${state ? ` ${state}` : ''}`);
    });
  }

  write(path: string, text: string) {
    const fd = this.process.open(path, 1);
    try {
      return this.process.write(fd, Buffer.from(text));
    } finally {
      this.process.close(fd);
    }
  }

  plug(command: string) {
    return this.write(HOTPLUG, command);
  }

  /** What a command is refused with, and the reason in the log. */
  refused(command: string): [string | undefined, string] {
    const errno = errnoOf(() => this.plug(command));
    return [errno, this.machine.core.log.lines.at(-1)!.replace('mdevfs: hotplug: ', '')];
  }

  list(path: string): string[] {
    return this.process.exists(path) ? [...this.process.list(path)].sort() : [];
  }

  get parents(): string[] {
    return this.list('/sys/class/mdev_bus');
  }

  get file(): string {
    const fd = this.process.open(HOTPLUG, 0);
    const text = Buffer.from(this.process.read(fd, 65536)).toString();
    this.process.close(fd);
    return text;
  }

  takeEvents(): string[] {
    return this.#events.splice(0);
  }
}

t.test('a parent goes with its devices and comes back without, in the order of a kernel', async (t) => {
  const sh = new Shell('default');
  const [type] = sh.list(`/sys/class/mdev_bus/${GPU}/mdev_supported_types`);
  sh.write(`/sys/class/mdev_bus/${GPU}/mdev_supported_types/${type}/create`, UUID);
  const device = sh.process.realpath(`/sys/bus/pci/devices/${GPU}`).replace('/sys', '');
  const others = sh.list('/sys/bus/pci/devices').filter((name) => name !== GPU);
  t.equal(sh.file, `${GPU} plugged\nmtty plugged\n`);
  sh.takeEvents();
  sh.plug(`remove ${GPU}\n`);
  t.strictSame(sh.takeEvents(), [
    `remove@${device}/${UUID}/vfio-dev/vfio0`,
    'remove@/devices/virtual/vfio/3',
    `unbind@${device}/${UUID}`,
    `remove@${device}/${UUID}`,
    `change@${device} MDEV_STATE=unregistered`,
    `unbind@${device}`,
    `remove@${device}`,
  ]);
  t.strictSame(sh.parents, ['mtty']);
  t.equal(sh.file, `${GPU} unplugged\nmtty plugged\n`);
  sh.write('/sys/bus/pci/rescan', '1');
  t.strictSame(sh.list('/sys/bus/pci/devices'), others, 'nothing is in the slot');
  sh.plug(`add ${GPU}`);
  t.strictSame(sh.takeEvents(), [
    `add@${device}`,
    `change@${device} MDEV_STATE=registered`,
    `bind@${device}`,
  ]);
  t.strictSame(sh.parents, [GPU, 'mtty']);
  t.strictSame(sh.list('/sys/bus/mdev/devices'), []);
});

t.test('what the kernel was told to forget stays in its slot', async (t) => {
  const sh = new Shell('default');
  sh.write(`/sys/bus/pci/devices/${GPU}/remove`, '1');
  t.strictSame(sh.parents, ['mtty']);
  sh.plug(`add ${GPU}`);
  t.strictSame(sh.parents, [GPU, 'mtty']);
  sh.write(`/sys/bus/pci/devices/${GPU}/remove`, '1');
  sh.plug(`remove ${GPU}`);
  sh.write('/sys/bus/pci/rescan', '1');
  t.strictSame(sh.parents, ['mtty']);
  t.equal(sh.file, `${GPU} unplugged\nmtty plugged\n`);
});

t.test('removal waits for who has a device open, and nothing else may happen there', async (t) => {
  for (const [parent, type] of [
    ['mtty', 'mtty-1'],
    [GPU, undefined],
  ] as const) {
    const sh = new Shell('default');
    const types = `/sys/class/mdev_bus/${parent}/mdev_supported_types`;
    sh.write(`${types}/${type ?? sh.list(types)[0]}/create`, UUID);
    const vm = sh.machine.process();
    const attach = vm.open('/sys/kernel/debug/mdevfs/attach', 1);
    vm.write(attach, Buffer.from(UUID));
    const removed = sh.plug(`remove ${parent}`);
    if (!asleep(removed)) return t.fail('should sleep');
    t.match(sh.file, `${parent} leaving\n`);
    t.notOk(sh.parents.includes(parent));
    t.strictSame(sh.refused(`remove ${parent}`), ['EBUSY', `${parent}: is leaving already; see holders`]);
    t.strictSame(sh.refused(`add ${parent}`), ['EBUSY', `${parent}: is still leaving; see holders`]);
    vm.close(attach);
    await removed;
    t.match(sh.file, `${parent} unplugged\n`);
    sh.plug(`add ${parent}`);
    t.ok(sh.parents.includes(parent));
  }
});

t.test("a sample's card goes and its module stays; either may go first", async (t) => {
  const sh = new Shell('samples');
  const before = sh.list('/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1');
  sh.plug('remove mtty');
  t.ok(sh.process.exists('/sys/module/mtty'));
  t.notOk(sh.process.exists('/sys/devices/virtual/mtty'));
  sh.plug('add mtty');
  t.strictSame(sh.list('/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1'), before);
  sh.write('/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create', UUID);
  sh.plug('remove mtty');
  t.strictSame(sh.list('/sys/bus/mdev/devices'), []);
  sh.machine.rmmod('mtty');
  t.notOk(sh.process.exists('/sys/class/mtty'));
  t.strictSame(sh.refused('add mtty'), ['ENOENT', 'mtty: neither unplugged nor a fixture']);
  sh.machine.modprobe('mtty');
  t.ok(sh.parents.includes('mtty'));
});

t.test('a subchannel goes and comes', async (t) => {
  const sh = new Shell('s390x');
  const subchannel = sh.parents.find((name) => name !== 'matrix')!;
  sh.takeEvents();
  const dir = sh.process.realpath(`/sys/bus/css/devices/${subchannel}`).replace('/sys', '');
  sh.plug(`remove ${subchannel}`);
  t.notOk(sh.parents.includes(subchannel));
  t.strictSame(sh.takeEvents(), [`change@${dir} MDEV_STATE=unregistered`, `unbind@${dir}`, `remove@${dir}`]);
  sh.plug(`add ${subchannel}`);
  t.ok(sh.parents.includes(subchannel));
});

t.test('the matrix goes with its devices, when nobody has one open, and its module stays', async (t) => {
  const sh = new Shell('s390x');
  const create = '/sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create';
  sh.write(create, UUID);
  for (const name of ['kvm_intel', 'vfio_iommu_type1']) sh.machine.modprobe(name);
  const vm = await sh.machine.attach(UUID);
  sh.takeEvents();
  const removed = sh.plug('remove matrix');
  if (!asleep(removed)) return t.fail('should sleep');
  t.match(sh.file, 'matrix leaving\n');
  vm.end();
  await removed;
  t.notOk(sh.process.exists('/sys/devices/vfio_ap/matrix'));
  t.ok(sh.process.exists('/sys/module/vfio_ap'));
  t.strictSame(sh.list('/sys/bus/mdev/devices'), []);
  t.strictSame(sh.takeEvents().slice(-3), [
    'change@/devices/vfio_ap/matrix MDEV_STATE=unregistered',
    'unbind@/devices/vfio_ap/matrix',
    'remove@/devices/vfio_ap/matrix',
  ]);
  sh.plug('add matrix');
  sh.write(create, UUID);
  t.strictSame(sh.list('/sys/bus/mdev/devices'), [UUID]);
  sh.plug('remove matrix');
  sh.machine.rmmod('vfio_ap');
  t.notOk(sh.process.exists('/sys/devices/vfio_ap'));
  sh.machine.modprobe('vfio_ap');
  t.ok(sh.parents.includes('matrix'));
});

t.test('a parent without a slot comes and goes with its module only', async (t) => {
  const sh = new Shell('samples');
  sh.machine.core.slots.delete('mtty');
  t.strictSame(sh.refused('remove mtty'), [
    'EOPNOTSUPP',
    'mtty: comes and goes with its module only; see kernel/debug/mdevfs/module',
  ]);
});

t.test('a fixture is plugged into a machine that has nothing of it, by its name', async (t) => {
  const sh = new Shell({ name: 'bare', modules: ['mtty'], iommu: { groups: [{ id: 0 }] } });
  t.notOk(sh.process.exists('/sys/bus/pci'));
  sh.takeEvents();
  sh.plug('add nvidia-t4');
  const gpus = sh.parents.filter((name) => name !== 'mtty');
  t.ok(gpus.length > 0);
  const events = sh.takeEvents();
  t.ok(events.includes('add@/module/nvidia_vgpu_vfio'));
  t.equal(events.filter((event) => event.endsWith('MDEV_STATE=registered')).length, gpus.length);
  const group = sh.process.readlink(`/sys/bus/pci/devices/${gpus[0]}/iommu_group`).split('/').at(-1);
  t.not(group, '0', "the machine's own group stays its own");
  t.strictSame(sh.refused('add nvidia-t4'), [
    'EEXIST',
    'nvidia-t4: the machine has everything that is in it',
  ]);
  const functions = sh.list('/sys/bus/pci/devices');
  sh.plug('remove nvidia-t4');
  t.strictSame(sh.parents, ['mtty']);
  t.strictSame(sh.list('/sys/bus/pci/devices'), []);
  sh.plug('add nvidia-t4');
  t.strictSame(sh.list('/sys/bus/pci/devices'), functions);
  t.strictSame(sh.parents, [...gpus, 'mtty'].sort());
});

t.test('a machine without a fixture takes one too, and s390 hosts mix with others', async (t) => {
  const sh = new Shell('default');
  sh.plug('add s390x');
  t.ok(sh.parents.includes('matrix'));
  t.ok(sh.parents.includes('mtty'));
  const bare = new Machine();
  bare.hotplug.addFixture(fixtureFile('fixtures/nvidia-t4.json'));
  t.ok(bare.process().exists('/sys/class/mdev_bus'));
});

t.test('JSON is plugged in, in pieces of any size', async (t) => {
  const sh = new Shell({ name: 'bare' });
  const text = readFileSync('fixtures/nvidia-t4.json', 'utf8');
  const fd = sh.process.open(HOTPLUG, 1);
  for (let at = 0; at < text.length; at += 1000) sh.process.write(fd, Buffer.from(text.slice(at, at + 1000)));
  sh.process.close(fd);
  t.ok(sh.parents.length > 0);
  const [gpu] = sh.parents;
  sh.plug(`remove ${gpu}`);
  const was = fixtureFile('fixtures/nvidia-t4.json').pci!.functions.find(({ address }) => address === gpu)!;
  const card = { ...was, revision: 'b7' };
  sh.plug(`add ${JSON.stringify(card)}`);
  t.strictSame(sh.parents, [gpu], 'another card in the same slot');
  const revision = sh.process.open(`/sys/bus/pci/devices/${gpu}/revision`, 0);
  t.equal(Buffer.from(sh.process.read(revision, 99)).toString(), '0xb7\n');
  t.strictSame(sh.refused(JSON.stringify(card)), [
    'EEXIST',
    `${gpu}: there is a function already; remove it first`,
  ]);
});

t.test('what cannot be is refused, and the log says why', async (t) => {
  const sh = new Shell('default');
  const refused: [string, string, string][] = [
    ['remove 0000:3b:00.1', 'ENODEV', `0000:3b:00.1: is no parent here (did you mean "${GPU}"?)`],
    [`add ${GPU}`, 'EEXIST', `${GPU}: is there`],
    ['add mtty', 'EEXIST', 'mtty: is there'],
    ['add nonsuch', 'ENOENT', 'nonsuch: neither unplugged nor a fixture'],
    ['add nvidia-t5', 'ENOENT', 'nvidia-t5: neither unplugged nor a fixture (did you mean "nvidia-t4"?)'],
    ['plug mtty', 'EINVAL', 'expected "add NAME", "remove NAME" or JSON, got "plug mtty"'],
    ['remove', 'EINVAL', 'expected "add NAME", "remove NAME" or JSON, got "remove"'],
    ['{"name": 5}', 'EINVAL', 'JSON: name: expected a string, got 5'],
    ['{"name": "x",}', 'EINVAL', 'JSON:1:14: expected a string in double quotes, closed on its line'],
    ['{"address": "0000:3b:00.7"}', 'EINVAL', 'JSON: vendor: expected a string, got nothing'],
    [
      JSON.stringify({ address: '0000:77:00.0', vendor: '10de', device: '1eb8', class: '030200' }),
      'ENODEV',
      '0000:77:00.0: there is no bus 0000:77',
    ],
    [
      JSON.stringify({
        name: 'other',
        pci: {
          roots: [{ bus: '0000:3b' }],
          functions: [{ address: GPU, vendor: '8086', device: '1234', class: '030000' }],
        },
      }),
      'EEXIST',
      `${GPU}: 10de:1eb8 is where 8086:1234 should be`,
    ],
  ];
  for (const [command, errno, why] of refused) t.strictSame(sh.refused(command), [errno, why], command);
  sh.plug('remove mtty');
  t.strictSame(sh.refused('remove mtty'), ['ENODEV', 'mtty: is unplugged already']);
  t.strictSame(sh.refused('remove mtti'), ['ENODEV', 'mtti: is no parent here (did you mean "mtty"?)']);
  sh.plug(`remove ${GPU}`);
  t.strictSame(sh.refused(`remove ${GPU}`), ['ENODEV', `${GPU}: is unplugged already`]);
  sh.plug('remove 0000:3a:00.0');
  t.strictSame(sh.refused(`add ${GPU}`), ['ENODEV', `${GPU}: there is no bus 0000:3b`]);
  const fd = sh.process.open(HOTPLUG, 1);
  sh.process.write(fd, Buffer.from('{"name": "half'));
  sh.process.close(fd);
  t.equal(sh.machine.core.log.lines.at(-1), 'mdevfs: hotplug: the JSON was not whole');
});

function parentsOf(machine: Machine): string[] {
  const process = machine.process();
  return process.exists('/sys/class/mdev_bus') ? process.list('/sys/class/mdev_bus').sort() : [];
}

function contents(machine: Machine, path: string): string {
  const process = machine.process();
  const fd = process.open(path, 0);
  return Buffer.from(process.read(fd, 4096)).toString();
}

t.test('every fixture is plugged into an empty machine, goes, and comes back', async (t) => {
  const names = readdirSync('fixtures')
    .filter((file) => file !== 'schema.json')
    .map((file) => file.replace('.json', ''));
  const load = (name: string) => fixtureFile(`fixtures/${name}.json`);
  for (const name of names) {
    const parents = parentsOf(Machine.fromFixture(load(name)));
    const machine = new Machine({ fixtures: { get: load, keys: () => names.values() } });
    machine.hotplug.add(name);
    t.strictSame(parentsOf(machine), parents, name);
    machine.hotplug.remove(name);
    t.strictSame(parentsOf(machine), [], `${name} unplugged`);
    machine.hotplug.add(name);
    t.strictSame(parentsOf(machine), parents, `${name} again`);
  }
});

t.test('a fixture that is plugged in shows what it shows when it boots', async (t) => {
  const names = readdirSync('fixtures').filter((file) => file !== 'schema.json');
  for (const name of names) {
    const whole = fixtureFile(`fixtures/${name}`);
    const { kernel, arch, moduleImages } = whole;
    // What is not for plugging.
    const left = { devices: [], buses: [], classes: [], nodes: {}, overrides: {}, builtinModules: [] };
    const functions = (whole.pci?.functions ?? []).map((each, index) => ({ ...each, unbound: index === 0 }));
    const booted = Machine.fromFixture({ ...whole, ...left, pci: whole.pci && { ...whole.pci, functions } });
    const [parent] = parentsOf(booted);
    const types = `/sys/class/mdev_bus/${parent}/mdev_supported_types`;
    const type = booted
      .process()
      .list(types)
      .sort()
      .find((each) => !contents(booted, `${types}/${each}/available_instances`).startsWith('0'))!;
    const fixture = {
      ...whole,
      pci: whole.pci && { ...whole.pci, functions },
      mdevs: [
        { uuid: UUID, parent: parent!, type, iommuGroup: 700, vfioGroup: 70, vfioDevice: 7 },
        ...(parent === 'matrix' ? [{ uuid: UUID2, parent, type, attributes: { assign_domain: '5' } }] : []),
        ...(parent === 'mtty' ? [{ uuid: UUID2, parent, type, unbound: true }] : []),
      ],
    };
    const boots = Machine.fromFixture({ ...fixture, ...left }, { clock: new StoppedClock() });
    const profile = { ...profiles[kernel], arch };
    const plugged = new Machine({
      clock: new StoppedClock(),
      profile,
      images: { ...images[kernel], ...moduleImages },
    });
    plugged.hotplug.addFixture(fixture);
    plugged.uevents.seqnum = boots.uevents.seqnum;
    const differences = diffTrees(machineTree(plugged), machineTree(boots));
    t.strictSame(
      differences.map(({ path }) => path),
      [],
      name,
    );
    const device = plugged.process().realpath(`/sys/bus/mdev/devices/${UUID}`);
    t.equal(plugged.process().realpath(`${device}/iommu_group`), '/sys/kernel/iommu_groups/700');
    if (kernel === 'full') t.ok(plugged.process().exists(`${device}/vfio-dev/vfio7`), name);
  }
});
