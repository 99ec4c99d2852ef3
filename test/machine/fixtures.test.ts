import t from 'tap';
import { fixtureFile, Host, uuidOf } from '../pci/host.js';

const hostOf = (name: string) => new Host(fixtureFile(`fixtures/${name}.json`));
const typesOf = (parent: string) => `/sys/class/mdev_bus/${parent}/mdev_supported_types`;

/** What a parent offers: the end of each type's name, and how many. */
function offer(host: Host, parent: string): Record<string, number> {
  const types = host.ls(typesOf(parent));
  return Object.fromEntries(
    types.map((type) => [type, Number(host.cat(`${typesOf(parent)}/${type}/available_instances`))]),
  );
}

t.test('types of GVT-g take from what is left of memory and fences', async (t) => {
  const host = hostOf('intel-gvtg');
  const parent = '0000:00:02.0';
  const left = () => Object.values(offer(host, parent));
  t.strictSame(offer(host, parent), {
    'i915-GVTg_V5_1': 1,
    'i915-GVTg_V5_2': 2,
    'i915-GVTg_V5_4': 5,
    'i915-GVTg_V5_8': 7,
  });
  t.equal(
    host.cat(`${typesOf(parent)}/i915-GVTg_V5_4/description`),
    'low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4\nresolution: 1920x1200\nweight: 4',
  );
  t.equal(host.cat(`${typesOf(parent)}/i915-GVTg_V5_4/name`), 'GVTg_V5_4');
  host.echo(uuidOf(1), `${typesOf(parent)}/i915-GVTg_V5_2/create`);
  t.strictSame(left(), [0, 1, 3, 4]);
  host.echo(uuidOf(2), `${typesOf(parent)}/i915-GVTg_V5_8/create`);
  t.strictSame(left(), [0, 1, 2, 3]);
  t.equal(host.echoErrno(uuidOf(3), `${typesOf(parent)}/i915-GVTg_V5_1/create`), 'ENOSPC');
  t.equal(host.cat(`/sys/bus/mdev/devices/${uuidOf(2)}/intel_vgpu/vgpu_id`), '2');
});

t.test('the two GPUs of an M60 are behind a switch, and count by themselves', async (t) => {
  const host = hostOf('nvidia-m60');
  t.equal(
    host.process.readlink('/sys/class/mdev_bus/0000:84:00.0'),
    '../../devices/pci0000:80/0000:80:02.0/0000:81:00.0/0000:82:10.0/0000:84:00.0',
  );
  host.echo(uuidOf(1), `${typesOf('0000:83:00.0')}/nvidia-18/create`);
  t.match(offer(host, '0000:83:00.0'), { 'nvidia-18': 3, 'nvidia-12': 0, 'nvidia-22': 0 });
  t.match(offer(host, '0000:84:00.0'), { 'nvidia-18': 4, 'nvidia-12': 16, 'nvidia-22': 1 });
  t.equal(Object.keys(offer(host, '0000:84:00.0')).length, 14);
  t.equal(host.cat('/sys/class/mdev_bus/0000:84:00.0/numa_node'), '1');
});

t.test('of the AP queues, the host keeps those of two adapters, and nobody has one twice', async (t) => {
  const host = hostOf('s390-ap');
  for (const n of [1, 2]) host.echo(uuidOf(n), `${typesOf('matrix')}/vfio_ap-passthrough/create`);
  const assign = (n: number, what: string, number: number) =>
    host.echoErrno(String(number), `/sys/bus/mdev/devices/${uuidOf(n)}/assign_${what}`);
  t.equal(assign(1, 'domain', 84), undefined);
  t.equal(assign(1, 'adapter', 0), 'EADDRNOTAVAIL');
  t.equal(assign(1, 'adapter', 1), 'EADDRNOTAVAIL');
  t.equal(assign(1, 'adapter', 5), undefined);
  t.equal(assign(1, 'adapter', 64), 'ENODEV');
  t.equal(assign(2, 'adapter', 5), undefined);
  t.equal(assign(2, 'domain', 84), 'EADDRINUSE');
  t.equal(assign(2, 'domain', 71), undefined);
  t.equal(assign(2, 'control_domain', 84), undefined);
  t.equal(host.cat(`/sys/bus/mdev/devices/${uuidOf(2)}/guest_matrix`), '05.0047');
});

t.test('subchannels for guests are parents, the disk and the QDIO device are not', async (t) => {
  const host = hostOf('s390-ccw');
  const bus = '/sys/bus/css/devices';
  const drivers = host.ls(bus).map((name) => {
    return (
      host.exists(`${bus}/${name}/driver`) && host.process.readlink(`${bus}/${name}/driver`).split('/').pop()
    );
  });
  t.strictSame(drivers, ['io_subchannel', ...Array(32).fill('vfio_ccw'), false]);
  t.equal(host.cat(`${bus}/0.0.0332/dev_busid`), '0.0.1b4e');
  t.equal(host.echoErrno('0.0.0400', '/sys/bus/css/drivers/vfio_ccw/bind'), 'ENODEV');
});
