/**
 * What virsh must be able to do with the devices of a host that has a parent of every kind.
 * @module
 */

import type { Test } from 'tap';
import { GPU, UUID, UUID2 } from './client.js';
import { description, type Libvirt, nameOf } from './libvirt.js';

const GPU_MDEV = nameOf(UUID, GPU);
const sorted = (...lines: string[]) => lines.sort();

const type = (id: string, name: string, api: string, available: number) => [
  `      <type id='${id}'>`,
  `        <name>${name}</name>`,
  `        <deviceAPI>${api}</deviceAPI>`,
  `        <availableInstances>${available}</availableInstances>`,
  '      </type>',
];

const device = (name: string, path: string, driver: string | undefined, capability: string[]) =>
  [
    '<device>',
    `  <name>${name}</name>`,
    `  <path>/sys/devices/${path}</path>`,
    '  <parent>computer</parent>',
    ...(driver === undefined ? [] : ['  <driver>', `    <name>${driver}</name>`, '  </driver>']),
    ...capability,
    '</device>',
    '',
  ].join('\n');

const mdevTypes = (...types: string[][]) => [
  "    <capability type='mdev_types'>",
  ...types.flat(),
  '    </capability>',
];

/** A Tesla M10 in bus c0, in the IOMMU group of the same number less two. */
const gpu = (slot: number) =>
  device(`pci_0000_c0_0${slot}_0`, `pci0000:c0/0000:c0:0${slot}.0`, 'nvidia', [
    "  <capability type='pci'>",
    '    <class>0x030000</class>',
    '    <domain>0</domain>',
    '    <bus>192</bus>',
    `    <slot>${slot}</slot>`,
    '    <function>0</function>',
    "    <product id='0x13bd'>GM107GL [Tesla M10]</product>",
    "    <vendor id='0x10de'>NVIDIA Corporation</vendor>",
    ...mdevTypes(
      type('nvidia-36', 'GRID M10-0Q', 'vfio-pci', 2),
      type('nvidia-35', 'GRID M10-0B', 'vfio-pci', 2),
    ),
    `    <iommuGroup number='${slot - 2}'>`,
    `      <address domain='0x0000' bus='0xc0' slot='0x0${slot}' function='0x0'/>`,
    '    </iommuGroup>',
    "    <numa node='0'/>",
    '    <pci-express>',
    "      <link validity='cap' port='0' speed='8' width='16'/>",
    "      <link validity='sta' speed='8' width='16'/>",
    '    </pci-express>',
    '  </capability>',
  ]);

/** The parents as libvirt describes them; of types, the kernel's order. */
const parents: Record<string, string> = {
  pci_0000_c0_02_0: gpu(2),
  pci_0000_c0_03_0: gpu(3),
  mtty_mtty: device('mtty_mtty', 'virtual/mtty/mtty', undefined, [
    "  <capability type='mdev_types'>",
    ...mdevTypes(
      type('mtty-1', 'Single port serial', 'vfio-pci', 24),
      type('mtty-2', 'Dual port serial', 'vfio-pci', 12),
    ),
    '  </capability>',
  ]),
  ap_matrix: device('ap_matrix', 'vfio_ap/matrix', 'vfio_ap', [
    "  <capability type='ap_matrix'>",
    ...mdevTypes(type('vfio_ap-passthrough', 'VFIO AP Passthrough Device', 'vfio-ap', 65536)),
    '  </capability>',
  ]),
  css_0_0_0313: device('css_0_0_0313', 'css0/0.0.0313', 'vfio_ccw', [
    "  <capability type='css'>",
    '    <cssid>0x0</cssid>',
    '    <ssid>0x0</ssid>',
    '    <devno>0x0313</devno>',
    '    <channel_dev_addr>',
    '      <cssid>0x0</cssid>',
    '      <ssid>0x0</ssid>',
    '      <devno>0x1b2f</devno>',
    '    </channel_dev_addr>',
    ...mdevTypes(type('vfio_ccw-io', 'I/O subchannel (Non-QDIO)', 'vfio-ccw', 1)),
    '  </capability>',
  ]),
};

interface Made {
  /** libvirt's name of the parent, and the one in sysfs. */
  parent: string;
  address: string;
  /** Below /sys/devices. */
  path: string;
  type: string;
  driver: string;
  attrs?: string;
}

const made: readonly Made[] = [
  {
    parent: 'pci_0000_c0_03_0',
    address: GPU,
    path: `pci0000:c0/${GPU}`,
    type: 'nvidia-36',
    driver: 'nvidia-vgpu-vfio',
  },
  { parent: 'mtty_mtty', address: 'mtty', path: 'virtual/mtty/mtty', type: 'mtty-2', driver: 'mtty' },
  {
    parent: 'css_0_0_0313',
    address: '0.0.0313',
    path: 'css0/0.0.0313',
    type: 'vfio_ccw-io',
    driver: 'vfio_ccw_mdev',
  },
  {
    parent: 'ap_matrix',
    address: 'matrix',
    path: 'vfio_ap/matrix',
    type: 'vfio_ap-passthrough',
    driver: 'vfio_ap_mdev',
    attrs: '<attr name="assign_adapter" value="5"/><attr name="assign_domain" value="4"/>',
  },
];

const mdev = ({ parent, address, path, type, driver }: Made, group: string) =>
  [
    '<device>',
    `  <name>${nameOf(UUID, address)}</name>`,
    `  <path>/sys/devices/${path}/${UUID}</path>`,
    `  <parent>${parent}</parent>`,
    '  <driver>',
    `    <name>${driver}</name>`,
    '  </driver>',
    "  <capability type='mdev'>",
    `    <type id='${type}'/>`,
    `    <uuid>${UUID}</uuid>`,
    `    <parent_addr>${address}</parent_addr>`,
    `    <iommuGroup number='${group}'/>`,
    '  </capability>',
    '</device>',
    '',
  ].join('\n');

const done = (stdout: string) => ({ status: 0, stdout: `${stdout}\n`, stderr: '' });

/** Creates a device of each kind, looks at it, destroys it. */
export async function libvirtCreates(t: Test, libvirt: Libvirt, devices = made): Promise<void> {
  for (const device of devices) {
    const { parent, address, type, attrs = '' } = device;
    await t.test(`${parent}: a device is created, described, destroyed`, async (t) => {
      const name = nameOf(UUID, address);
      const begun = Date.now();
      t.strictSame(
        await libvirt.virshWith('nodedev-create', description(parent, type, `<uuid>${UUID}</uuid>${attrs}`)),
        done(`Node device ${name} created from /run/device.xml`),
      );
      t.comment(`created in ${Date.now() - begun} ms`);
      t.strictSame(await libvirt.list('--cap mdev'), [name]);
      const link = await libvirt.session.run(`readlink /sys/bus/mdev/devices/${UUID}/iommu_group`);
      const group = /\/kernel\/iommu_groups\/(\d+)\n$/.exec(link.stdout)![1]!;
      t.equal((await libvirt.virsh(`nodedev-dumpxml ${name}`)).stdout, mdev(device, group));
      t.strictSame(await libvirt.virsh(`nodedev-destroy ${name}`), done(`Destroyed node device '${name}'`));
      t.equal((await libvirt.session.run('test -e /sys/bus/mdev/devices/$U')).status, 1);
      t.notOk(await libvirt.appears(name, '--cap mdev', false));
    });
  }
}

export async function libvirtWorks(t: Test, libvirt: Libvirt): Promise<void> {
  const { session } = libvirt;

  await t.test('parents of every kind are listed', async (t) => {
    t.strictSame(sorted(...(await libvirt.list('--cap mdev_types'))), sorted(...Object.keys(parents)));
    t.strictSame(await libvirt.list('--cap mdev'), []);
  });

  await t.test('and described as on the real machine', async (t) => {
    for (const [name, xml] of Object.entries(parents))
      t.equal((await libvirt.virsh(`nodedev-dumpxml ${name}`)).stdout, xml, name);
  });

  const looks = await libvirt.looks();
  await libvirtCreates(t, libvirt);
  t.equal((await libvirt.looks()) - looks, made.length, 'libvirt found each at its first look');

  await t.test('a device without a UUID gets one, and takes an instance', async (t) => {
    const { status, stdout } = await libvirt.virshWith(
      'nodedev-create',
      description('mtty_mtty', 'mtty-2', ''),
    );
    const name = /^Node device (mdev_[0-9a-f]{8}(?:_[0-9a-f]{4}){3}_[0-9a-f]{12}_mtty) created from /.exec(
      stdout,
    )?.[1];
    t.equal(status, 0);
    t.strictSame(await libvirt.list('--cap mdev'), [name]);
    t.equal(
      (await libvirt.virsh('nodedev-dumpxml mtty_mtty')).stdout,
      parents.mtty_mtty!.replace('>24<', '>22<').replace('>12<', '>11<'),
    );
    t.equal((await libvirt.virsh(`nodedev-destroy ${name}`)).status, 0);
  });

  await t.test("mdevctl's refusals are libvirt's", async (t) => {
    const create = () => libvirt.virshWith('nodedev-create', description('pci_0000_c0_03_0', 'nvidia-36'));
    t.equal((await create()).status, 0);
    t.strictSame(await create(), {
      status: 1,
      stdout: '',
      stderr:
        'error: Failed to create node device from /run/device.xml\n' +
        'error: internal error: Unable to start mediated device: Error: Device already exists\n\n',
    });
    t.equal((await libvirt.virsh(`nodedev-destroy ${GPU_MDEV}`)).status, 0);
  });

  await t.test('a device is defined, started, made to start by itself, and forgotten', async (t) => {
    const states = async () => (await libvirt.virsh(`nodedev-info ${GPU_MDEV}`)).stdout;
    const info = (active: string, autostart: string) =>
      `Name:           ${GPU_MDEV}\nParent:         pci_0000_c0_03_0\nActive:         ${active}\n` +
      `Persistent:     yes\nAutostart:      ${autostart}\n`;
    await session.run(
      'virsh nodedev-event --event lifecycle --loop --timestamp > /run/events 2>&1 & events=$!',
    );
    // It listens when it hears of a device that comes and goes.
    const heard = `grep -q ${nameOf(UUID2, 'mtty')}.*Deleted /run/events`;
    await session.run(
      `until ${heard}; do mdevctl start -u $U2 -p mtty -t mtty-1; mdevctl stop -u $U2; sleep 0.2; done`,
    );

    t.strictSame(
      await libvirt.virshWith('nodedev-define', description('pci_0000_c0_03_0', 'nvidia-36')),
      done(`Node device '${GPU_MDEV}' defined from '/run/device.xml'`),
    );
    t.strictSame(await libvirt.list('--cap mdev'), []);
    t.strictSame(await libvirt.list('--cap mdev --inactive'), [GPU_MDEV]);
    t.equal(await states(), info('no', 'no'));
    const start = await libvirt.virsh(`nodedev-start ${GPU_MDEV}`);
    t.strictSame(start, done(`Device ${GPU_MDEV} started`));
    t.equal((await libvirt.virsh(`nodedev-autostart ${GPU_MDEV}`)).status, 0);
    t.equal(await states(), info('yes', 'yes'));
    t.equal(
      await session.output('mdevctl list'),
      `${UUID} ${GPU} nvidia-36 auto (defined)\n\n`,
      'mdevctl has it so too',
    );
    t.equal((await libvirt.virsh(`nodedev-destroy ${GPU_MDEV}`)).status, 0);
    t.equal(await states(), info('no', 'yes'));
    t.equal((await libvirt.virsh(`nodedev-undefine ${GPU_MDEV}`)).status, 0);
    t.notOk(await libvirt.appears(GPU_MDEV, '--cap mdev --all', false));

    const told = await session.run(
      `for try in $(seq 100); do tail -n 1 /run/events | grep -q Undefined && break; sleep 0.1; done
       kill $events; wait $events; grep ${GPU_MDEV} /run/events`,
    );
    const event =
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: event 'lifecycle' for node device (\w+): (\w+)$/;
    const events = told.stdout
      .trimEnd()
      .split('\n')
      .map((line) => event.exec(line)?.slice(1) ?? line);
    // On a busy machine, libvirt tells late of the end of the device that was there before.
    if (events[0]?.[1] === 'Deleted') events.shift();
    // mdevctl empties the file of a definition before it writes it anew, and libvirt may look in between.
    const again = events.findIndex(([, what], i) => what === 'Undefined' && events[i + 1]?.[1] === 'Defined');
    if (again >= 0) events.splice(again, 2);
    t.strictSame(
      events,
      ['Defined', 'Created', 'Deleted', 'Undefined'].map((what) => [GPU_MDEV, what]),
    );
  });

  await t.test('what mdevctl does shows up', async (t) => {
    const name = nameOf(UUID2, 'mtty');
    t.equal((await session.run('mdevctl start -u $U2 -p mtty -t mtty-1')).status, 0);
    t.ok(await libvirt.appears(name, '--cap mdev'));
    t.equal((await session.run('mdevctl define -u $U2')).status, 0);
    t.equal((await session.run('mdevctl stop -u $U2')).status, 0);
    t.ok(await libvirt.appears(name, '--cap mdev --inactive'));
    t.equal((await session.run('mdevctl undefine -u $U2')).status, 0);
    t.notOk(await libvirt.appears(name, '--cap mdev --all', false));
  });
}

/** The subset that shows that a way to run it works: one device, from a PCI parent. */
export const libvirtCreatesOne = (t: Test, libvirt: Libvirt): Promise<void> =>
  libvirtCreates(t, libvirt, made.slice(0, 1));
