import t from 'tap';
import { FixtureError } from '../../src/machine/fixture.js';
import type { Machine } from '../../src/machine/machine.js';
import { checkState, machineState, watchState } from '../../src/machine/state.js';
import { machineTree } from '../../src/machine/tree-machine.js';
import { uuidOf } from '../mdev/machine.js';
import { fixtureFile } from '../pci/host.js';
import { boot, differences } from './snapshots.js';

/** What a daemon that is killed leaves. */
const kept = (machine: Machine) => checkState(JSON.parse(JSON.stringify(machineState(machine))), 'state');

const readText = (machine: Machine, path: string): string => {
  const process = machine.process();
  const fd = process.open(path, 0);
  return Buffer.from(process.read(fd, 65536)).toString();
};

const NVIDIA = '0000:3b:00.0';
const module = '/sys/kernel/debug/mdevfs/module';

t.test('devices, what was written to them, and modules are as they were', async (t) => {
  const fixture = fixtureFile('fixtures/default.json');
  const machine = boot(fixture);
  for (let n = 0; n < 4; n++) machine.createMdev('mtty', 'mtty-2', uuidOf(n));
  machine.createMdev(NVIDIA, 'nvidia-222', uuidOf(4));
  machine.write(`/sys/bus/mdev/devices/${uuidOf(4)}/nvidia/vgpu_params`, 'frame_rate_limiter=0\n');
  machine.write(`/sys/bus/mdev/devices/${uuidOf(1)}/remove`, '1');
  machine.unbind(`/sys/bus/mdev/devices/${uuidOf(2)}`);
  machine.write(module, 'modprobe mdpy count=7');
  machine.write('/sys/module/vfio/parameters/enable_unsafe_noiommu_mode', 'Y');
  const again = boot(fixture, kept(machine));
  again.uevents.seqnum = machine.uevents.seqnum;
  t.strictSame(differences(machineTree(again), machineTree(machine)), []);
  t.strictSame(kept(again), kept(machine));
});

t.test('what a fixture has at boot and a user took away stays away, with its overrides', async (t) => {
  const fixture = {
    ...fixtureFile('fixtures/samples.json'),
    mdevs: [0, 1].map((n) => ({ uuid: uuidOf(n), parent: 'mtty', type: 'mtty-1' })),
    overrides: Object.fromEntries(
      [0, 1].map((n) => [`/sys/devices/virtual/mtty/mtty/${uuidOf(n)}/vendor/sample_mdev_dev`, `n ${n}\n`]),
    ),
  };
  const machine = boot(fixture);
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/remove`, '1');
  machine.write(module, 'rmmod mbochs');
  const again = boot(fixture, kept(machine));
  again.uevents.seqnum = machine.uevents.seqnum;
  t.strictSame(differences(machineTree(again), machineTree(machine)), []);
  t.notOk(again.process().exists(`/sys/devices/virtual/mtty/mtty/${uuidOf(0)}`));
});

t.test('a matrix has what was assigned', async (t) => {
  const fixture = fixtureFile('fixtures/s390x.json');
  const machine = boot(fixture);
  machine.createMdev('matrix', 'vfio_ap-passthrough', uuidOf(0));
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_adapter`, '5');
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_domain`, '4');
  const again = boot(fixture, kept(machine));
  again.uevents.seqnum = machine.uevents.seqnum;
  t.strictSame(differences(machineTree(again), machineTree(machine)), []);
});

t.test('what an AP mask set free is assigned again', async (t) => {
  const fixture = fixtureFile('fixtures/s390-ap.json');
  const machine = boot(fixture);
  machine.write('/sys/bus/ap/apmask', '-0');
  machine.createMdev('matrix', 'vfio_ap-passthrough', uuidOf(0));
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_adapter`, '0');
  machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/assign_domain`, '4');
  const again = machineTree(boot(fixture, kept(machine)));
  const matrix = `/sys/devices/vfio_ap/matrix/${uuidOf(0)}`;
  t.equal(again.text(`${matrix}/guest_matrix`), '00.0004');
  t.equal(again.text('/sys/bus/ap/apmask'), `0x4${'0'.repeat(63)}`);
  t.equal(again.target('/sys/devices/ap/card00/00.0047/driver'), '/sys/bus/ap/drivers/vfio_ap');
  t.throws(() => boot(fixture, { ...kept(machine), ap: undefined }), /: EADDRNOTAVAIL$/);
});

t.test('a change is told of once, before whoever made it goes on', async (t) => {
  const machine = boot(fixtureFile('fixtures/default.json'));
  let told = 0;
  const end = watchState(machine, () => told++);
  const count = (body: () => unknown) => {
    const before = told;
    body();
    return told - before;
  };
  const create = () => machine.createMdev(NVIDIA, 'nvidia-222', uuidOf(0));
  t.equal(count(create), 1);
  t.equal(
    count(() => t.throws(create, { code: 'EEXIST' })),
    0,
  );
  const params = `/sys/bus/mdev/devices/${uuidOf(0)}/nvidia/vgpu_params`;
  t.equal(
    count(() => machine.write(params, 'a=b')),
    1,
  );
  t.equal(
    count(() => machine.write(module, 'modprobe mdpy')),
    1,
  );
  t.equal(
    count(() => machine.write('/sys/module/vfio/parameters/enable_unsafe_noiommu_mode', 'Y')),
    1,
  );
  const file = `/sys/bus/pci/devices/${NVIDIA}`;
  t.equal(
    count(() => machine.write(`${file}/driver_override`, 'x')),
    1,
  );
  t.equal(
    count(() => machine.write(`${file}/d3cold_allowed`, '0')),
    0,
  );
  const fail = '/sys/kernel/debug/mdevfs/fail';
  t.equal(
    count(() => machine.write(fail, 'op=read path=modalias errno=EIO times=1')),
    1,
  );
  t.throws(() => readText(machine, `${file}/modalias`), { code: 'EIO' });
  const spent = told;
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(told - spent, 1, 'a rule that has done its work');

  // A removal that has to wait is told of when it is done.
  const shell = machine.process();
  const attached = shell.open('/sys/kernel/debug/mdevfs/attach', 1);
  shell.write(attached, Buffer.from(uuidOf(0)));
  const before = told;
  const removal = machine.write(`/sys/bus/mdev/devices/${uuidOf(0)}/remove`, '1');
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = told;
  shell.close(attached);
  await removal;
  t.ok(told > waiting);
  t.ok(waiting >= before);
  t.strictSame(machineState(machine).mdevs, []);

  // What no write asked for is told of as well.
  const quiet = told;
  machine.rmmod('mdpy');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(told - quiet, 1);
  end();
  t.equal(
    count(() => machine.createMdev('mtty', 'mtty-1', uuidOf(1))),
    0,
  );
});

t.test('what is no state is named', async (t) => {
  const fails = (value: unknown, ...faults: string[]) =>
    t.throws(() => checkState(value, 'f'), new FixtureError(faults));
  const mdev = { uuid: 'x', parent: 'p', type: 't' };
  fails({ modules: [], mdevs: [mdev] }, 'f: mdevs[0].uuid: expected a UUID, got "x"');
  fails({ modules: [], mdevs: [], more: 1 }, 'f: more: unknown key');
});
