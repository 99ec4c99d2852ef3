import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { processSys } from '../conformance/process.js';
import { expected, list, offer, parents, read } from '../machine/walk.js';
import { mdevfs, mountpoint } from '../mount/command.js';
import { fixtureFile } from '../pci/host.js';
import { lacking, Shell } from './client.js';
import { Libvirt } from './libvirt.js';
import { Session, underRun } from './session.js';

/** What each fixture shows, without a mount. */
const hostOf = (name: string) => processSys(Machine.fromFixture(fixtureFile(`fixtures/${name}.json`)));

/** A line of lspci that says which card it is, and one of `lspci -vvv` that comes from its capabilities. */
const CARDS: Record<string, [string, string]> = {
  big: [
    '0000:c1:1f.0 3D controller [0302]: NVIDIA Corporation TU104GL [Tesla T4] [10de:1eb8]',
    'NUMA node: 1',
  ],
  clients: [
    '0000:c0:03.0 VGA compatible controller [0300]: NVIDIA Corporation GM107GL [Tesla M10]',
    'IOMMU group: 1',
  ],
  default: [
    '0000:3b:00.0 3D controller [0302]: NVIDIA Corporation TU104GL [Tesla T4]',
    'MSI-X: Enable+ Count=6',
  ],
  'intel-gvtg': [
    '0000:00:02.0 VGA compatible controller [0300]: Intel Corporation HD Graphics 630',
    '[size=1G]',
  ],
  mixed: ['0000:00:02.0 VGA compatible controller [0300]: Intel Corporation HD Graphics 630', '[size=256M]'],
  'nvidia-a100-sriov': [
    '0000:17:02.3 3D controller [0302]: NVIDIA Corporation GA100 [A100 PCIe 40GB] [10de:20f1] (rev a1)',
    'VF offset: 4, stride: 1, Device ID: 20f1',
  ],
  'nvidia-m60': [
    '0000:84:00.0 VGA compatible controller [0300]: NVIDIA Corporation GM204GL [Tesla M60] [10de:13f2] (rev a1)',
    'Express (v2) Downstream Port',
  ],
  'nvidia-t4': ['0000:3b:00.0 3D controller [0302]: NVIDIA Corporation TU104GL [Tesla T4]', 'Speed 8GT/s'],
};

/** How libvirt names a parent: by its bus or class, and its own name. */
function libvirtName(parent: string): string {
  if (/^[0-9a-f]{4}:/.test(parent)) return `pci_${parent.replaceAll(/[:.]/g, '_')}`;
  if (parent.startsWith('0.')) return `css_${parent.replaceAll('.', '_')}`;
  return parent === 'matrix' ? 'ap_matrix' : `${parent}_${parent}`;
}

for (const name of Object.keys(expected)) {
  const host = hostOf(name);
  const typesDir = (parent: string) => `/sys/class/mdev_bus/${parent}/mdev_supported_types`;
  const file = (parent: string, type: string, file: string) => {
    return list(host, `${typesDir(parent)}/${type}`).includes(file)
      ? read(host, `${typesDir(parent)}/${type}/${file}`).trimEnd()
      : undefined;
  };

  t.test(
    `${name}: lspci and mdevctl at a mount`,
    { skip: lacking('lspci', 'mdevctl', 'unshare') },
    async (t) => {
      const dir = mountpoint(t);
      t.match(mdevfs('mount', '-f', name, dir), { status: 0 });
      const sh = Shell.overSys(dir);
      const [card, detail] = CARDS[name] ?? [];
      if (card !== undefined && detail !== undefined) {
        const lspci = (options: string) =>
          new Shell(dir).output(`lspci -A linux-sysfs -O sysfs.path=$D/bus/pci ${options} 2>&1`);
        const short = lspci('-D -nnk');
        t.match(short, card);
        const devices = '/sys/bus/pci/devices';
        const found = short.split('\n').filter((line) => /^[0-9a-f]{4}:/.test(line));
        t.strictSame(
          found.map((line) => line.split(' ')[0]),
          list(host, devices),
        );
        const drivers = list(host, devices).filter((device) =>
          list(host, `${devices}/${device}`).includes('driver'),
        );
        t.equal(short.match(/Kernel driver in use: /g)?.length, drivers.length);
        const long = lspci('-vvv');
        t.match(long, detail);
        t.notMatch(long, /!!!|<chain|unreadable|Unknown header|<access denied>/);
      }
      const types = sh.run('mdevctl types --dumpjson');
      t.match(types, { status: 0, stderr: '' });
      const told = Object.assign({}, ...(JSON.parse(types.stdout) as object[])) as Record<string, object[]>;
      t.strictSame(Object.keys(told).sort(), parents(host));
      for (const parent of parents(host)) {
        const wanted = [...offer(host, parent)].map(([type, count]) => {
          const description = file(parent, type, 'description')?.replaceAll('\n', ', ');
          return {
            [type]: {
              available_instances: count,
              device_api: file(parent, type, 'device_api'),
              name: file(parent, type, 'name'),
              ...(description !== undefined && { description }),
            },
          };
        });
        t.strictSame(Object.assign({}, ...told[parent]!), Object.assign({}, ...wanted), parent);
      }
    },
  );

  const skip = lacking('virsh', 'libvirtd', 'udevadm', 'mdevctl', 'unshare');
  t.test(`${name}: virsh nodedev-dumpxml of its parents`, { skip }, async (t) => {
    const libvirt = await Libvirt.start(Session.start(t, underRun('--host', name)));
    // Of the kernel's sample drivers, libvirt knows mtty alone.
    const all = parents(host).filter((parent) => parent !== 'mdpy' && parent !== 'mbochs');
    t.strictSame(await libvirt.list('--cap mdev_types'), all.map(libvirtName).sort());
    // Of many that are alike, the first and the last.
    for (const parent of all.length > 20 ? [all[0]!, all.at(-1)!] : all) {
      const { stdout } = await libvirt.virsh(`nodedev-dumpxml ${libvirtName(parent)}`);
      t.match(stdout, `<path>${host.realpath(`/sys/class/mdev_bus/${parent}`)}</path>`);
      const types = [...stdout.matchAll(/<type id='(\S+)'>[\s\S]*?<availableInstances>(\d+)<\/available/g)];
      t.strictSame(
        types.map(([, type, count]) => `${type} ${count}`).sort(),
        [...offer(host, parent)].map(([type, count]) => `${type} ${count}`).sort(),
        parent,
      );
    }
  });
}
