import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { FixtureError } from '../../src/machine/fixture.js';
import { fixtureFile, Host } from '../pci/host.js';

t.test('one host can have parents of every kind', async (t) => {
  const host = new Host(fixtureFile('fixtures/clients.json'));
  t.strictSame(
    host.ls('/sys/class/mdev_bus').map((name) => host.process.readlink(`/sys/class/mdev_bus/${name}`)),
    [
      '../../devices/css0/0.0.0313',
      '../../devices/pci0000:c0/0000:c0:02.0',
      '../../devices/pci0000:c0/0000:c0:03.0',
      '../../devices/vfio_ap/matrix',
      '../../devices/virtual/mtty/mtty',
    ],
  );
  const type = '/sys/class/mdev_bus/0000:c0:03.0/mdev_supported_types/nvidia-36';
  t.equal(host.cat(`${type}/name`), 'GRID M10-0Q');
  t.equal(host.cat(`${type}/available_instances`), '2');
});

t.test('an attribute with a pattern refuses what does not match with EINVAL', async (t) => {
  const host = new Host(fixtureFile('fixtures/clients.json'));
  const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
  host.echo(uuid, '/sys/class/mdev_bus/0000:c0:03.0/mdev_supported_types/nvidia-36/create');
  const params = `/sys/bus/mdev/devices/${uuid}/nvidia_vgpu_params`;
  t.equal(host.echoErrno('frame_rate_limiter=0,x=1', params), undefined);
  t.equal(host.echoErrno('bad', params), 'EINVAL');
  t.equal(host.echoErrno('x=1,', params), 'EINVAL');
  t.equal(host.cat(params), 'frame_rate_limiter=0,x=1');
});

t.test('an s390x host has its parents, and disks that are none', async (t) => {
  const machine = Machine.fromFixture(fixtureFile('fixtures/s390x.json'));
  const process = machine.process();
  for (const name of ['matrix', '0.0.0313', '0.0.0314'])
    t.ok(process.readlink(`/sys/class/mdev_bus/${name}`));
  t.equal(process.readlink('/sys/bus/ccw/devices/0.0.1b01'), '../../../devices/css0/0.0.0000/0.0.1b01');
  t.equal(process.readlink('/sys/devices/css0/0.0.0000/driver'), '../../../bus/css/drivers/io_subchannel');
});

t.test('mediated devices of a fixture can be of these parents', async (t) => {
  const fixture = fixtureFile('fixtures/s390x.json');
  const mdevs = [
    { uuid: '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', parent: 'matrix', type: 'vfio_ap-passthrough' },
    { uuid: '83b8f4f2-509f-382f-3c1e-e6bfe0fa1002', parent: '0.0.0313', type: 'vfio_ccw-io' },
  ];
  const process = Machine.fromFixture({ ...fixture, mdevs }).process();
  t.equal(
    process.readlink(`/sys/bus/mdev/devices/${mdevs[1]?.uuid}`),
    `../../../devices/css0/0.0.0313/${mdevs[1]?.uuid}`,
  );
});

t.test('a subchannel that is there twice is a fault', async (t) => {
  const subchannels = [{ id: '0.0.0001' }, { id: '0.0.0001' }];
  t.throws(
    () => new Host({ name: 'x', css: { subchannels } }),
    new FixtureError([
      'test: css.subchannels[1].id: expected another than css.subchannels[0], got "0.0.0001" again',
    ]),
  );
});
