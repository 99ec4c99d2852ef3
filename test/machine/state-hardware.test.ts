import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { KernelError } from '../../src/lib/errno.js';
import { checkFixture, type Fixture } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { PutBackError } from '../../src/machine/put-back.js';
import { checkState, machineState } from '../../src/machine/state.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { uuidOf } from '../mdev/machine.js';
import { fixtureFile } from '../pci/host.js';
import { random } from '../random.js';
import { differences } from './snapshots.js';
import { StoppedClock } from './stopped-clock.js';

const load = (name: string) => fixtureFile(`fixtures/${name}.json`);
const shelf = new Map(
  readdirSync('fixtures')
    .filter((file) => file !== 'schema.json')
    .map((file) => file.replace('.json', ''))
    .map((name) => [name, load(name)]),
);
const boot = (fixture: Fixture, state?: ReturnType<typeof kept>) =>
  Machine.fromFixture(fixture, {
    clock: new StoppedClock(),
    fixtures: shelf,
    state,
  });
/** What a daemon that is killed leaves. */
const kept = (machine: Machine) => checkState(JSON.parse(JSON.stringify(machineState(machine))), 'state');

function read(machine: Machine, path: string): string {
  const process = machine.process();
  const fd = process.open(path, 0);
  try {
    return Buffer.from(process.read(fd, 65536)).toString();
  } finally {
    process.exit();
  }
}

const CONTROL = '/sys/kernel/debug/mdevfs';
const plug = (machine: Machine, command: string) => machine.write(`${CONTROL}/hotplug`, command);
const create = (machine: Machine, parent: string, type: string, n: number) =>
  machine.createMdev(parent, type, uuidOf(n));
const groupOf = (machine: Machine, device: string) =>
  machine.process().readlink(`${device}/iommu_group`).split('/').at(-1);

/**
 * What of drivers is not kept: what one that has gone left in a function, which interrupts they have, numbers that they
 * gave to devices, and counts of what AP queues and their bus did.
 */
const LEFT_BEHIND =
  /^\S+\/(config|(consistent_)?dma_mask_bits|irq|msi_irqs\/\d+|vgpu_id|scans|request_count|interrupt): /;

/** Ends the machine, has the next one come up, and compares all that they show. */
function again(t: Test, fixture: Fixture, machine: Machine, what = 'the same tree'): Machine {
  const next = boot(fixture, kept(machine));
  next.uevents.seqnum = machine.uevents.seqnum;
  t.strictSame(
    differences(machineTree(next), machineTree(machine)).filter((line) => !LEFT_BEHIND.test(line)),
    [],
    what,
  );
  for (const file of ['hotplug', 'fail']) {
    const sorted = (of: Machine) => read(of, `${CONTROL}/${file}`).split('\n').sort();
    t.strictSame(sorted(next), sorted(machine), file);
  }
  t.strictSame(kept(next), kept(machine), 'and it would go on like that');
  return next;
}

t.test('a fixture that was plugged in is there again, with devices on it', (t) => {
  const fixture = load('samples');
  let machine = boot(fixture);
  create(machine, 'mtty', 'mtty-1', 0);
  plug(machine, 'add nvidia-t4');
  const [gpu] = load('nvidia-t4').pci!.functions.filter(({ class: code }) => code.startsWith('03'));
  create(machine, gpu!.address, 'nvidia-222', 1);
  machine.write(`/sys/bus/mdev/devices/${uuidOf(1)}/nvidia/vgpu_params`, 'a=b');
  machine = again(t, fixture, machine);
  t.ok(machine.process().exists(`/sys/class/mdev_bus/${gpu!.address}/${uuidOf(1)}`));
  plug(machine, 'remove nvidia-t4');
  machine = again(t, fixture, machine, 'gone');
  plug(machine, 'add nvidia-t4');
  machine = again(t, fixture, machine, 'and back');
  t.equal(kept(machine).hotplug!.fixtures.length, 1);
  t.end();
});

t.test('numbers of IOMMU groups are as they were, whoever came first', (t) => {
  const fixture = load('default');
  const machine = boot(fixture);
  const path = '/sys/bus/pci/devices/0000:3b:00.0';
  const before = groupOf(machine, path);
  plug(machine, 'remove 0000:3b:00.0');
  for (let n = 0; n < 3; n++) create(machine, 'mtty', 'mtty-1', n);
  plug(machine, 'add 0000:3b:00.0');
  const nic = { address: '0000:77:00.0', vendor: '1af4', device: '1041', class: '020000', iommuGroup: 5 };
  const pci = { roots: [{ bus: '0000:77' }], functions: [nic] };
  plug(machine, JSON.stringify({ name: 'nic', iommu: { groups: [{ id: 5 }] }, pci }));
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/remove`, '1');
  t.not(groupOf(machine, path), before, 'a mediated device has the number that it had');
  again(t, fixture, machine);
  t.end();
});

t.test('what left its slot stays out: functions, a bridge with all behind, cards, subchannels', (t) => {
  for (const [name, out, back] of [
    ['default', '0000:3b:00.0', true],
    ['default', '0000:3a:00.0', true],
    ['nvidia-m60', '0000:84:00.0', true],
    ['samples', 'mtty', true],
    ['s390x', '0.0.0313', true],
  ] as const) {
    const fixture = load(name);
    const all = boot(fixture);
    if (
      !read(all, `${CONTROL}/hotplug`).includes(out) &&
      !all.process().exists(`/sys/bus/pci/devices/${out}`)
    )
      continue;
    plug(all, `remove ${out}`);
    const next = again(t, fixture, all, `${name} without ${out}`);
    if (!back) continue;
    plug(next, `add ${out}`);
    again(t, fixture, next, `${name} with ${out} again`);
  }
  t.end();
});

t.test('another card in a slot of the fixture stays there', (t) => {
  const fixture = load('default');
  const machine = boot(fixture);
  const was = fixture.pci!.functions.find(({ address }) => address === '0000:3b:00.0')!;
  plug(machine, 'remove 0000:3b:00.0');
  plug(machine, `add ${JSON.stringify({ ...was, revision: 'b7' })}`);
  create(machine, was.address, 'nvidia-222', 0);
  const next = again(t, fixture, machine);
  t.equal(read(next, `/sys/bus/pci/devices/${was.address}/revision`), '0xb7\n');
  plug(next, 'remove 0000:3b:00.0');
  again(t, fixture, next);
  t.end();
});

t.test('subchannels and adapters that came stay', (t) => {
  const fixture = load('samples');
  const machine = boot(fixture);
  plug(machine, 'add s390x');
  create(machine, '0.0.0313', 'vfio_ccw-io', 0);
  create(machine, 'matrix', 'vfio_ap-passthrough', 1);
  machine.write(`/sys/bus/mdev/devices/${uuidOf(1)}/assign_adapter`, '5');
  const next = again(t, fixture, machine);
  plug(next, 'remove 0.0.0313');
  again(t, fixture, next);
  t.end();
});

t.test('virtual functions, and devices on them', (t) => {
  const fixture = load('nvidia-a100-sriov');
  const machine = boot(fixture);
  const { address } = fixture.pci!.functions.find(({ sriov }) => sriov)!;
  const numVfs = `/sys/bus/pci/devices/${address}/sriov_numvfs`;
  machine.write(numVfs, '0');
  const none = again(t, fixture, machine, 'none');
  none.write(numVfs, '4');
  const parents = none.process().list('/sys/class/mdev_bus').sort();
  t.equal(parents.length, 4);
  const [type] = none.process().list(`/sys/class/mdev_bus/${parents[3]}/mdev_supported_types`);
  create(none, parents[3]!, type!, 0);
  const four = again(t, fixture, none, 'four');
  four.write(`/sys/bus/mdev/devices/${uuidOf(0)}/remove`, '1');
  four.write(numVfs, '0');
  four.write(`/sys/bus/pci/devices/${address}/sriov_drivers_autoprobe`, '0');
  four.write(numVfs, '2');
  t.strictSame(again(t, fixture, four, 'without drivers').process().exists('/sys/class/mdev_bus/x'), false);
  t.end();
});

t.test('who has a function stays so, also without an id for it', (t) => {
  const fixture = load('default');
  let machine = boot(fixture);
  const path = '/sys/bus/pci/devices/0000:3b:00.0';
  machine.unbind(path);
  machine.write(`${path}/driver_override`, 'none');
  machine = again(t, fixture, machine, 'nobody');
  machine.write(`${path}/driver_override`, 'nvidia');
  machine.write('/sys/bus/pci/drivers/nvidia/bind', '0000:3b:00.0');
  create(machine, '0000:3b:00.0', 'nvidia-222', 0);
  again(t, fixture, machine, 'by hand');
  t.end();
});

t.test('rules of fault injection go on where they were, and do not strike what is put back', (t) => {
  const fixture = { ...load('samples'), faults: [] };
  const machine = boot(fixture);
  create(machine, 'mtty', 'mtty-1', 0);
  const rules = [
    'op=probe driver=mtty errno=ENODEV times=1',
    'op=read path=name errno=EIO probability=50 seed=7',
    'op=read path=description delay=5',
  ];
  machine.write(`${CONTROL}/fail`, rules.join('\n'));
  machine.write(`${CONTROL}/fail`, 'clear 3');
  const name = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/name';
  const outcomes = (of: Machine) =>
    Array.from({ length: 40 }, () => {
      try {
        return read(of, name);
      } catch {
        return 'EIO';
      }
    });
  t.throws(() => create(machine, 'mtty', 'mtty-1', 1), { code: 'ENODEV' });
  outcomes(machine);
  const next = boot(fixture, kept(machine));
  t.equal(read(next, `${CONTROL}/fail`), read(machine, `${CONTROL}/fail`));
  t.match(read(next, `${CONTROL}/fail`), /^1: .* hits=1\n2: .* hits=[1-9]/);
  t.strictSame(outcomes(next), outcomes(machine), 'the same random numbers follow');
  create(next, 'mtty', 'mtty-1', 1);
  next.write(`${CONTROL}/fail`, 'clear');
  t.equal(read(boot({ ...fixture, faults: [] }, kept(next)), `${CONTROL}/fail`), '');
  t.end();
});

t.test('what is on its way out is out', (t) => {
  for (const parent of ['mtty', '0000:3b:00.0']) {
    const fixture = load('default');
    const machine = boot(fixture);
    create(machine, parent, parent === 'mtty' ? 'mtty-1' : 'nvidia-222', 0);
    const vm = machine.process();
    const attach = vm.open(`${CONTROL}/attach`, 1);
    vm.write(attach, Buffer.from(uuidOf(0)));
    void plug(machine, `remove ${parent}`);
    const next = boot(fixture, kept(machine));
    t.match(read(next, `${CONTROL}/hotplug`), `${parent} unplugged\n`);
    t.strictSame(kept(next).mdevs, []);
    vm.close(attach);
  }
  t.end();
});

t.test('a state without these is of a machine as the fixture has it', (t) => {
  const fixture = load('nvidia-a100-sriov');
  const machine = boot(fixture);
  const { modules, mdevs } = kept(machine);
  const next = boot(fixture, checkState({ modules, mdevs }, 'state'));
  next.uevents.seqnum = machine.uevents.seqnum;
  t.strictSame(differences(machineTree(next), machineTree(machine)), []);
  t.end();
});

t.test('what cannot be put back is named, with its parent', (t) => {
  const machine = boot(load('default'));
  create(machine, '0000:3b:00.0', 'nvidia-222', 0);
  const state = kept(machine);
  const fails = (fixture: Fixture, message: string, given = state) =>
    t.throws(() => boot(fixture, given), new PutBackError(message));
  const device = `device ${uuidOf(0)} of type nvidia-222 on parent 0000:3b:00.0`;
  fails(load('samples'), 'module nvidia_vgpu_vfio: ENOENT');
  fails(load('samples'), `${device}: there is no such parent: ENOENT`, { ...state, modules: [] });
  const other = { ...state, mdevs: [{ ...state.mdevs[0]!, type: 'nvidia-1' }] };
  fails(load('default'), `${device.replace('222', '1')}: the parent has no such type: ENOENT`, other);
  const twice = { ...state, mdevs: [state.mdevs[0]!, state.mdevs[0]!] };
  fails(load('default'), `${device}: EEXIST`, twice);
  t.end();
});

t.test('any history leaves a state that comes back', (t) => {
  const bases = ['default', 'samples', 'nvidia-a100-sriov', 's390x', 's390-ap', 'empty'];
  const fixtures = [
    'nvidia-t4',
    'nvidia-m60',
    'intel-gvtg',
    's390-ccw',
    's390-ap',
    's390x',
    'samples',
    'nvidia-a100-sriov',
  ];
  for (let seed = 1; seed <= 25; seed++) {
    const next = random(seed);
    const pick = <T>(items: readonly T[]): T => items[next(items.length)]!;
    const base = pick(bases);
    const fixture = base === 'empty' ? checkFixture({ name: 'empty' }, 'empty') : load(base);
    let machine = boot(fixture);
    const list = (path: string) => {
      const process = machine.process();
      return process.exists(path) ? process.list(path).sort() : [];
    };
    // A name that there is not is refused, which is no history.
    const any = (names: readonly string[]) => (names.length > 0 ? pick(names) : 'none');
    const functions = () => list('/sys/bus/pci/devices');
    const parents = () => list('/sys/class/mdev_bus');
    const has = (name: string, file: string) =>
      machine.process().exists(`/sys/bus/pci/devices/${name}/${file}`);
    const actions = [
      () => plug(machine, `add ${pick(fixtures)}`),
      () => plug(machine, `remove ${pick(fixtures)}`),
      () => plug(machine, `remove ${any([...functions(), ...parents()])}`),
      () => {
        const unplugged = read(machine, `${CONTROL}/hotplug`).matchAll(/^(\S+) unplugged$/gm);
        plug(machine, `add ${any([...unplugged].map(([, name]) => name!))}`);
      },
      () => {
        const parent = any(parents());
        const type = any(list(`/sys/class/mdev_bus/${parent}/mdev_supported_types`));
        create(machine, parent, type, next(30));
      },
      () => machine.write(`/sys/bus/mdev/devices/${any(list('/sys/bus/mdev/devices'))}/remove`, '1'),
      () => {
        const physical = any(functions().filter((name) => has(name, 'sriov_numvfs')));
        machine.write(`/sys/bus/pci/devices/${physical}/sriov_numvfs`, pick(['0', '0', '2', '5']));
      },
      () => machine.unbind(`/sys/bus/pci/devices/${any(functions())}`),
      () =>
        machine.write('/sys/bus/pci/drivers_probe', any(functions().filter((name) => !has(name, 'driver')))),
      () => {
        const name = pick(['mtty', 'mdpy', 'nvidia_vgpu_vfio', 'kvmgt']);
        machine.write(`${CONTROL}/module`, `${pick(['rmmod', 'modprobe'])} ${name}`);
      },
      () => machine.write('/sys/bus/ap/apmask', pick(['-0', '+0', '-1', '+1'])),
      () => machine.write(`${CONTROL}/fail`, 'op=read path=no_such_file errno=EIO'),
    ];
    for (let step = 0; step < 40; step++) {
      try {
        pick(actions)();
      } catch (error) {
        // There may be nothing to do it to.
        if (!(error instanceof KernelError)) throw error;
      }
      if (step % 10 === 9) machine = again(t, fixture, machine, `${base}, seed ${seed}, after ${step} steps`);
    }
  }
  t.end();
});
