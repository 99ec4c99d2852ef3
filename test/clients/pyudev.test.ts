import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { lacking, mountClients, Shell, UUID } from './client.js';
import { Session, underRun } from './session.js';
import { startUdevd } from './udev.js';

// Other Pythons do not see Debian's packages.
const python = '/usr/bin/python3';
const importable = spawnSync(python, ['-c', 'import pyudev']).status === 0;
const skip = lacking('udevadm', 'unshare') || (!importable && 'python3-pyudev is not installed');
const parent = '/sys/devices/pci0000:c0/0000:c0:03.0';

/** Prints one JSON value: what it finds of a device, and what the monitors of both sources hear of its life. */
const program = `
import json, os, pyudev
uuid, parent = os.environ['U'], os.environ['P']
context = pyudev.Context()
monitors = {source: pyudev.Monitor.from_netlink(context, source=source) for source in ('kernel', 'udev')}
for monitor in monitors.values():
    monitor.filter_by('mdev')
    monitor.start()
def write(path, text):
    with open(path, 'w') as file:
        file.write(text)
write(f'/sys/class/mdev_bus/{parent}/mdev_supported_types/nvidia-36/create', uuid)
device, = context.list_devices(subsystem='mdev')
found = {
    'path': device.sys_path,
    'driver': device.driver,
    'parents': [one.sys_name for one in device.ancestors],
    'children': [one.subsystem for one in device.children],
    'properties': {key: value for key, value in device.properties.items() if key != 'USEC_INITIALIZED'},
    'of its parent': device.find_parent('pci').properties['PCI_ID'],
    'params': device.attributes.asstring('nvidia_vgpu_params'),
    'by name': pyudev.Devices.from_name(context, 'mdev', uuid) == device,
}
write(f'/sys/bus/mdev/devices/{uuid}/remove', '1')
for source, monitor in monitors.items():
    found[source] = []
    while not found[source] or found[source][-1][0] != 'remove':
        event = monitor.poll(timeout=60)
        found[source].append([event.action, event.sys_name, event.driver])
found['left'] = [one.sys_name for one in context.list_devices(subsystem='mdev')]
print(json.dumps(found))
`;

const life = [
  ['add', UUID, null],
  ['bind', UUID, 'nvidia-vgpu-vfio'],
  ['unbind', UUID, null],
  ['remove', UUID, null],
];

async function pyudevWorks(t: Test, session: Session): Promise<void> {
  const { status, stdout, stderr } = await session.run(`${python} -c '${program.replaceAll("'", '"')}'`);
  t.equal(status, 0, stderr);
  t.strictSame(JSON.parse(stdout), {
    path: `${parent}/${UUID}`,
    driver: 'nvidia-vgpu-vfio',
    parents: ['0000:c0:03.0', 'pci0000:c0'],
    children: ['vfio-dev'],
    properties: {
      DEVPATH: `${parent.slice('/sys'.length)}/${UUID}`,
      DRIVER: 'nvidia-vgpu-vfio',
      SUBSYSTEM: 'mdev',
    },
    'of its parent': '10DE:13BD',
    params: '',
    'by name': true,
    kernel: life,
    udev: life,
    left: [],
  });
}

t.test('pyudev under mdevfs run', { skip }, async (t) => {
  const session = Session.start(t, underRun());
  await t.test('without udevd', (t) => pyudevWorks(t, session));
  await startUdevd(session);
  await t.test('with udevd', (t) => pyudevWorks(t, session));
});

t.test('pyudev, with a mount over /sys', { skip }, async (t) => {
  const sh = Shell.overSys(mountClients(t));
  const list = `${python} -c 'import pyudev; print(*(one.sys_path for one in pyudev.Context().list_devices(subsystem="pci")))'`;
  const gpus = ['02', '03'].map((slot) => `/sys/devices/pci0000:c0/0000:c0:${slot}.0`);
  t.equal(sh.output(`SYSTEMD_DEVICE_VERIFY_SYSFS=0 ${list}`), `${gpus.join(' ')}\n`);
  t.equal(sh.output(list), '\n', 'libudev takes nothing for a device that is not sysfs');
});
