/**
 * libvirtd in a session where the host with a parent of every kind is at /sys and its uevents reach udev's listeners, and
 * what virsh must be able to do with it then.
 * @module
 */

import type { Test } from 'tap';
import { UUID, UUID2 } from './client.js';
import type { Session } from './session.js';

const PLACES = [
  '/etc/mdevctl.d',
  '/var/lib/libvirt',
  '/var/cache/libvirt',
  '/var/log/libvirt',
  '/etc/libvirt/qemu',
];

/**
 * Starts libvirtd, with places of its own for what it writes and for definitions of mdevctl. The session must have its
 * own mount, network and PID namespaces, its own /run, and there what libvirt looks for of udev.
 */
export async function startLibvirt(session: Session): Promise<void> {
  const script = `
    for place in ${PLACES.join(' ')}; do
      mkdir -p $place && mount -t tmpfs none $place || exit
    done
    mkdir -p /etc/mdevctl.d/scripts.d/callouts /etc/mdevctl.d/scripts.d/notifiers /run/lock /run/libvirt
    # A user namespace may have root alone, and no user for QEMU.
    printf 'user = "root"\\ngroup = "root"\\n' > /var/lib/libvirt/qemu.conf
    [ ! -e /etc/libvirt/qemu.conf ] || mount --bind /var/lib/libvirt/qemu.conf /etc/libvirt/qemu.conf || exit
    export SYSTEMD_DEVICE_VERIFY_SYSFS=0 LIBVIRT_DEFAULT_URI=nodedev:///system
    libvirtd > /var/log/libvirt/out 2>&1 &
    for try in $(seq 300); do virsh -q uri > /dev/null 2>&1 && break; sleep 0.1; done
    virsh -q uri`;
  const { status, stderr } = await session.run(script);
  if (status !== 0) throw new Error(`libvirtd did not start: ${stderr}`);
}

const xml = (parent: string, type: string, more = '') =>
  `<device><parent>${parent}</parent><capability type="mdev"><type id="${type}"/>${more}</capability></device>`;

const nameOf = (uuid: string, parent: string) => `mdev_${uuid}_${parent}`.replaceAll(/[-:.]/g, '_');

const GPU_MDEV = nameOf(UUID, '0000:c0:03.0');

/** A file of the session with a device's description; `$1` of the script. */
const withXml = (description: string, script: string) =>
  `echo '${description}' > /run/device.xml; ${script.replaceAll('$1', '/run/device.xml')}`;

export async function libvirtWorks(t: Test, session: Session): Promise<void> {
  await t.test('parents of every kind are listed', async (t) => {
    const { stdout } = await session.run('virsh nodedev-list --cap mdev_types');
    t.strictSame(stdout.trim().split('\n'), [
      'ap_matrix',
      'css_0_0_0313',
      'mtty_mtty',
      'pci_0000_c0_02_0',
      'pci_0000_c0_03_0',
    ]);
  });

  await t.test('and described with their types', async (t) => {
    for (const [device, type, name, count] of [
      ['pci_0000_c0_03_0', 'nvidia-36', 'GRID M10-0Q', 2],
      ['mtty_mtty', 'mtty-1', 'Single port serial', 24],
      ['ap_matrix', 'vfio_ap-passthrough', 'VFIO AP Passthrough Device', 65536],
      ['css_0_0_0313', 'vfio_ccw-io', 'I/O subchannel (Non-QDIO)', 1],
    ] as const) {
      const { stdout } = await session.run(`virsh nodedev-dumpxml ${device}`);
      const found = stdout.match(new RegExp(`<type id='${type}'>[\\s\\S]*?</type>`))?.[0] ?? '';
      t.match(found, `<name>${name}</name>`);
      t.match(found, `<availableInstances>${count}</availableInstances>`);
    }
    const { stdout } = await session.run('virsh nodedev-dumpxml pci_0000_c0_03_0');
    t.match(stdout, "<iommuGroup number='1'>");
    t.match(stdout, "<product id='0x13bd'>GM107GL [Tesla M10]</product>");
  });

  for (const [parent, type, more] of [
    ['pci_0000_c0_03_0', 'nvidia-36', `<uuid>${UUID}</uuid>`],
    ['mtty_mtty', 'mtty-2', ''],
    ['css_0_0_0313', 'vfio_ccw-io', ''],
    [
      'ap_matrix',
      'vfio_ap-passthrough',
      '<attr name="assign_adapter" value="5"/><attr name="assign_domain" value="4"/>',
    ],
  ] as const) {
    await t.test(`${parent}: a device is created, described, destroyed`, async (t) => {
      const begun = Date.now();
      const created = await session.run(withXml(xml(parent, type, more), 'virsh nodedev-create $1'));
      const took = Date.now() - begun;
      t.match(created, { status: 0, stdout: /^Node device mdev_\S+ created from / }, created.stderr);
      const name = created.stdout.split(' ')[2];
      t.match((await session.run('virsh nodedev-list --cap mdev')).stdout, name);
      const { stdout } = await session.run(`virsh nodedev-dumpxml ${name}`);
      t.match(stdout, `<parent>${parent}</parent>`);
      t.match(stdout, `<type id='${type}'/>`);
      t.match(stdout, /<iommuGroup number='\d+'\/>/);
      t.match(await session.run(`virsh nodedev-destroy ${name}`), {
        status: 0,
        stdout: /^Destroyed node device/,
      });
      t.notMatch((await session.run('virsh nodedev-list --cap mdev')).stdout, name);
      t.comment(`created in ${took} ms`);
      // Without the uevent in time it waits five seconds and looks again.
      t.ok(took < 4_000, `created in ${took} ms`);
    });
  }

  await t.test('a device is defined, started, made to start by itself, and forgotten', async (t) => {
    const define = withXml(
      xml('pci_0000_c0_03_0', 'nvidia-36', `<uuid>${UUID}</uuid>`),
      'virsh nodedev-define $1',
    );
    const events = '(virsh nodedev-event --event lifecycle --loop --timestamp > /run/events &) ; sleep 0.5';
    await session.run(events);
    t.match(await session.run(define), { status: 0, stdout: /^Node device 'mdev_\S+' defined from / });
    t.match((await session.run('virsh nodedev-list --inactive --cap mdev')).stdout, GPU_MDEV);
    for (const command of ['start', 'autostart']) {
      t.match(await session.run(`virsh nodedev-${command} ${GPU_MDEV}`), { status: 0 }, command);
    }
    const { stdout } = await session.run(`virsh nodedev-info ${GPU_MDEV}`);
    t.match(stdout.replaceAll(/ +/g, ' '), 'Active: yes\nPersistent: yes\nAutostart: yes');
    for (const command of ['destroy', 'undefine']) {
      t.match(await session.run(`virsh nodedev-${command} ${GPU_MDEV}`), { status: 0 }, command);
    }
    const told = await session.run(
      `for try in $(seq 50); do grep -q Undefined /run/events && break; sleep 0.1; done; grep ${GPU_MDEV} /run/events`,
    );
    t.strictSame(
      told.stdout.match(/Defined|Created|Deleted|Undefined/g),
      ['Defined', 'Created', 'Deleted', 'Undefined'],
      told.stdout,
    );
  });

  await t.test('a device made by another program shows up', async (t) => {
    const name = nameOf(UUID2, 'mtty');
    t.match(await session.run('mdevctl start -u $U2 -p mtty -t mtty-1'), { status: 0 });
    const appears = `for try in $(seq 50); do virsh nodedev-list --cap mdev | grep ${name} && break; sleep 0.1; done`;
    t.match((await session.run(appears)).stdout, name);
    t.match(await session.run('mdevctl stop -u $U2'), { status: 0 });
  });
}
