import t from 'tap';
import type { FixtureInput } from '../../src/machine/fixture.js';
import { card, fixtureFile, Host, q35, uuidOf } from './host.js';

type Vgpu = NonNullable<FixtureInput['vgpus']>[number];

const GPU = '/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types';

t.test('all devices of a T4 are of the type of the first', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  const available = (type: number) => host.cat(`${GPU}/nvidia-${type}/available_instances`);
  t.strictSame([222, 223, 231, 229].map(available), ['16', '8', '8', '1']);
  host.echo(uuidOf(1), `${GPU}/nvidia-223/create`);
  t.strictSame([222, 223, 231, 229].map(available), ['0', '7', '0', '0']);
  host.takeEvents();
  t.equal(host.echoErrno(uuidOf(2), `${GPU}/nvidia-222/create`), 'ENOSPC');
  t.equal(host.takeEvents().length, 2, 'a driver that refuses has seen the device come and go');
  for (let n = 2; n <= 8; n++) host.echo(uuidOf(n), `${GPU}/nvidia-223/create`);
  t.equal(host.echoErrno(uuidOf(9), `${GPU}/nvidia-223/create`), 'ENOSPC');
  for (let n = 1; n <= 8; n++) host.echo('1', `/sys/bus/mdev/devices/${uuidOf(n)}/remove`);
  t.strictSame([222, 223, 231, 229].map(available), ['16', '8', '8', '1']);
});

t.test('a T4 type says what NVIDIA says', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  t.equal(host.ls(GPU).length, 17);
  t.equal(host.cat(`${GPU}/nvidia-222/name`), 'GRID T4-1B');
  t.equal(host.cat(`${GPU}/nvidia-222/device_api`), 'vfio-pci');
  t.equal(
    host.cat(`${GPU}/nvidia-222/description`),
    'num_heads=4, frl_config=45, framebuffer=1024M, max_resolution=5120x2880, max_instance=16',
  );
});

t.test('an attribute of a device keeps what is written to it', async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  host.echo(uuidOf(1), `${GPU}/nvidia-223/create`);
  host.echo(uuidOf(2), `${GPU}/nvidia-223/create`);
  const parameters = (n: number) => `/sys/bus/mdev/devices/${uuidOf(n)}/nvidia/vgpu_params`;
  host.echo('frame_rate_limiter=0', parameters(1));
  t.equal(host.cat(parameters(1)), 'frame_rate_limiter=0');
  t.equal(host.cat(parameters(2)), '');
});

t.test("a shared counter is the core's: EUSERS, and no events", async (t) => {
  const host = new Host(q35());
  host.machine.modprobe('vgpu_oracle', { count: '1' });
  host.echo('8086 10d3', '/sys/bus/pci/drivers/vgpu/new_id');
  const types = '/sys/class/mdev_bus/0000:00:04.0/mdev_supported_types';
  host.echo(uuidOf(1), `${types}/vgpu-vga/create`);
  host.takeEvents();
  t.equal(host.echoErrno(uuidOf(2), `${types}/vgpu-hd/create`), 'EUSERS');
  t.strictSame(host.takeEvents(), []);
  t.equal(host.cat(`${types}/vgpu-hd/available_instances`), '0');
  t.equal(host.cat('/sys/module/vgpu_oracle/parameters/count'), '1');
  const other = '/sys/class/mdev_bus/0000:01:00.0/mdev_supported_types';
  t.equal(host.cat(`${other}/vgpu-hd/available_instances`), '1', 'each parent has its own');
  t.equal(host.cat(`/sys/bus/mdev/devices/${uuidOf(1)}/vendor/resolution`), '640x480');
});

function withPolicy(change: Partial<Vgpu>): Host {
  const vgpu: Vgpu = {
    module: 'test',
    pciDriver: 'test',
    mdevDriver: 'test-mdev',
    ids: ['1234:5678'],
    policy: { rule: 'perType' },
    types: [
      { name: 'a', instances: 1, needs: { memory: 4 } },
      { name: 'b', instances: 2, needs: { memory: 16, engines: 1 } },
    ],
    ...change,
  };
  return new Host({ name: 'x', modules: ['test'], pci: { functions: [card()] }, vgpus: [vgpu] });
}

const TYPES = '/sys/class/mdev_bus/0000:00:02.0/mdev_supported_types';

t.test('with a number per type, one type does not touch another', async (t) => {
  const host = withPolicy({});
  host.echo(uuidOf(1), `${TYPES}/test-a/create`);
  t.equal(host.echoErrno(uuidOf(2), `${TYPES}/test-a/create`), 'ENOSPC');
  t.equal(host.cat(`${TYPES}/test-b/available_instances`), '2');
  t.equal(host.cat(`${TYPES}/test-a/name`), 'a');
  t.notOk(host.exists(`${TYPES}/test-a/description`));
});

t.test('with a pool, what is left decides', async (t) => {
  const host = withPolicy({ policy: { rule: 'pool', resources: { memory: 40, engines: 2 } } });
  const available = () => ['a', 'b'].map((type) => host.cat(`${TYPES}/test-${type}/available_instances`));
  t.strictSame(available(), ['10', '2']);
  host.echo(uuidOf(1), `${TYPES}/test-b/create`);
  t.strictSame(available(), ['6', '1']);
  for (let n = 2; n <= 4; n++) host.echo(uuidOf(n), `${TYPES}/test-a/create`);
  t.strictSame(available(), ['3', '0']);
  t.equal(host.echoErrno(uuidOf(5), `${TYPES}/test-b/create`), 'ENOSPC');
  host.echo('1', `/sys/bus/mdev/devices/${uuidOf(1)}/remove`);
  t.strictSame(available(), ['7', '1']);
});

t.test('attributes belong to types, and know their device', async (t) => {
  const host = withPolicy({
    types: [
      { name: 'a', instances: 1, attributes: { 'vendor/who': '{uuid} is a {type}\n', plain: 'yes\n' } },
      { name: 'b', instances: 1, attributes: { 'vendor/what': { content: '', mode: '0200' } } },
    ],
  });
  host.echo(uuidOf(1), `${TYPES}/test-a/create`);
  host.echo(uuidOf(2), `${TYPES}/test-b/create`);
  const [a, b] = [1, 2].map((n) => `/sys/bus/mdev/devices/${uuidOf(n)}`);
  t.equal(host.cat(`${a}/vendor/who`), `${uuidOf(1)} is a test-a`);
  t.equal(host.cat(`${a}/plain`), 'yes');
  t.notOk(host.exists(`${b}/plain`));
  t.strictSame(host.ls(`${b}/vendor`), ['what']);
  t.throws(() => host.cat(`${b}/vendor/what`), { code: 'EACCES' });
});
