import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { MdevTree } from '../../src/host/mdev-tree.js';
import { main, mdevfs, mountpoint, plain, run } from './command.js';
import { noMounts, noNamespaces } from './mounted.js';

const skip = noMounts() ?? false;
const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';

t.test('tree shows a mounted machine', { skip }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'clients', dir).status, 0);
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-2/create'), uuid);

  await t.test('as text', async (t) => {
    t.same(mdevfs('tree', dir), {
      status: 0,
      stderr: '',
      stdout: `\
0.0.0313  css  driver vfio_ccw
└─ vfio_ccw-io  I/O subchannel (Non-QDIO)  1 of 1 free  vfio-ccw
0000:c0:02.0  [10de:13bd]  driver nvidia  group 0  NUMA node 0
├─ nvidia-35  GRID M10-0B  2 of 2 free  vfio-pci
└─ nvidia-36  GRID M10-0Q  2 of 2 free  vfio-pci
0000:c0:03.0  [10de:13bd]  driver nvidia  group 1  NUMA node 0
├─ nvidia-35  GRID M10-0B  2 of 2 free  vfio-pci
└─ nvidia-36  GRID M10-0Q  2 of 2 free  vfio-pci
matrix  matrix  driver vfio_ap
└─ vfio_ap-passthrough  VFIO AP Passthrough Device  65536 of 65536 free  vfio-ap
mtty  mtty
├─ mtty-1  Single port serial  22 of 22 free  vfio-pci
└─ mtty-2  Dual port serial    11 of 12 free  vfio-pci
   └─ ${uuid}  driver mtty  group 2
`,
    });
    const { stdout } = run('env', ['-u', 'NO_COLOR', 'FORCE_COLOR=1', process.execPath, main, 'tree', dir]);
    t.match(stdout, '\x1b[1mmtty\x1b[22m', 'with colours where they are wanted');
  });

  await t.test('as JSON', async (t) => {
    const { parents } = JSON.parse(mdevfs('tree', '--json', dir).stdout) as MdevTree;
    t.same(parents.at(-1), {
      name: 'mtty',
      path: '/devices/virtual/mtty/mtty',
      bus: 'mtty',
      driver: null,
      pciId: null,
      numaNode: null,
      iommuGroup: null,
      types: [
        {
          name: 'mtty-1',
          prettyName: 'Single port serial',
          deviceApi: 'vfio-pci',
          description: null,
          free: 22,
          devices: [],
        },
        {
          name: 'mtty-2',
          prettyName: 'Dual port serial',
          deviceApi: 'vfio-pci',
          description: null,
          free: 11,
          devices: [{ uuid, driver: 'mtty', iommuGroup: 2, holders: null }],
        },
      ],
    });
  });

  await t.test('as a graph, with who holds a device', async (t) => {
    const held = `mdevfs=${process.execPath}; main=${main}; dir=${dir}
      $mdevfs $main attach ${uuid} --at $dir > $dir.out & pid=$!
      until grep -q attached $dir.out; do sleep 0.02; done
      $mdevfs $main tree --dot $dir; kill $pid; wait $pid; rm $dir.out`;
    const { status, stdout } = spawnSync('env', [...plain, 'bash', '-c', held], { encoding: 'utf8' });
    t.equal(status, 0);
    t.match(stdout, /^digraph mdev \{\n/);
    t.match(stdout, `"mtty" -> "mtty/mtty-2";\n`);
    t.match(stdout, `"mtty/mtty-2" -> "${uuid}";\n`);
    t.match(stdout, `"${uuid}" -> "group 2";\n`);
    t.match(stdout, /"83b8\S+ holders" \[label="files 1\\nopened 1\\ngroup 2 open", shape=note\];\n/);
  });

  await t.test('as a picture, with a box for everything', async (t) => {
    const { stdout } = mdevfs('tree', '--svg', dir);
    t.match(stdout, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="\d+" height="\d+"/);
    t.equal(stdout.match(/<rect class="parent"/g)?.length, 5);
    t.equal(stdout.match(/<rect class="type"/g)?.length, 8);
    t.equal(stdout.match(/<rect class="device"/g)?.length, 1);
    t.equal(stdout.match(/<path /g)?.length, 9, 'each but the parents is joined to what it belongs to');
    for (const tag of ['svg', 'g', 'rect', 'text'])
      t.equal(
        stdout.match(new RegExp(`<${tag}[ >]`, 'g'))?.length,
        (stdout.match(new RegExp(`</${tag}>`, 'g'))?.length ?? 0) +
          (stdout.match(new RegExp(`<${tag} [^>]*/>`, 'g'))?.length ?? 0),
        `each ${tag} ends`,
      );
  });

  await t.test('one format at a time, and of a tree', async (t) => {
    t.same(mdevfs('tree', '--dot', '--svg', dir), {
      status: 2,
      stdout: '',
      stderr: 'mdevfs: --dot and --svg exclude each other; choose one\n',
    });
    t.same(mdevfs('tree', '/proc'), {
      status: 2,
      stdout: '',
      stderr:
        'mdevfs: /proc: no sysfs, since it has no directories bus and devices; mdevfs status lists trees\n',
    });
    for (const args of [
      ['tree', '/nonexistent'],
      ['snapshot', '--sysfs', '/nonexistent'],
    ])
      t.same(mdevfs(...args), {
        status: 2,
        stdout: '',
        stderr: 'mdevfs: /nonexistent: no such file or directory\n',
      });
  });
});

t.test('inside of a run it shows /sys', { skip: skip || (noNamespaces() ?? false) }, async (t) => {
  const { status, stdout } = mdevfs('run', '-f', 'samples', '--', process.execPath, main, 'tree');
  t.equal(status, 0);
  t.match(stdout, /^mbochs {2}mbochs\n/m);
  t.match(stdout, /^mtty {2}mtty\n├─ mtty-1 {2}Single port serial {2}24 of 24 free {2}vfio-pci\n/m);
});
