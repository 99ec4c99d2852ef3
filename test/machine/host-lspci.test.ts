import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { KernfsDir } from '../../src/kernfs/dir.js';
import { KernfsFile } from '../../src/kernfs/file.js';
import { KernfsLink } from '../../src/kernfs/link.js';
import { fixtureFile, Host, q35 } from '../pci/host.js';

const missing = spawnSync('lspci', ['--version']).error ? 'lspci is not installed' : false;

/** Copies a tree into a real directory. */
function copy(dir: KernfsDir, path: string): void {
  mkdirSync(path);
  for (const name of dir.names()) {
    const node = dir.lookup(name);
    if (node instanceof KernfsDir) copy(node, `${path}/${name}`);
    else if (node instanceof KernfsLink) symlinkSync(node.readlink(), `${path}/${name}`);
    else if (node instanceof KernfsFile) writeFileSync(`${path}/${name}`, contentOf(node));
  }
}

function contentOf({ name, ops, size }: KernfsFile): Uint8Array | string {
  if (name === 'config') return ops.read!(0, size);
  try {
    return ops.show?.() ?? '';
  } catch {
    return '';
  }
}

function lspci(host: Host, dir: string, ...options: string[]) {
  copy(host.machine.sysfs, dir);
  return spawnSync('lspci', ['-A', 'linux-sysfs', '-O', `sysfs.path=${dir}/bus/pci`, ...options], {
    encoding: 'utf8',
  });
}

t.test('lspci reads a T4 without a complaint about it', { skip: missing }, async (t) => {
  const host = new Host(fixtureFile('fixtures/nvidia-t4.json'));
  const { stdout, stderr, status } = lspci(host, `${t.testdir()}/sys`, '-nnk', '-vvv');
  t.equal(status, 0);
  // Without modules of the running kernel, lspci says that it cannot tell which could drive a device.
  t.equal(stderr.replace(/^lspci: Unable to load libkmod resources.*\n/, ''), '');
  t.match(stdout, /^3b:00\.0 3D controller \[0302\]: .*\[10de:1eb8\] \(rev a1\)$/m);
  for (const line of [
    'Region 1: Memory at 38bfc0000000 (64-bit, prefetchable) [size=256M]',
    'Capabilities: [60] Power Management version 3',
    'Capabilities: [c8] MSI-X: Enable+ Count=6 Masked-',
    'LnkSta:	Speed 8GT/s, Width x16',
    'Capabilities: [420 v2] Advanced Error Reporting',
    'IOMMU group: 2',
    'Kernel driver in use: nvidia',
  ]) {
    t.ok(stdout.includes(line), line);
  }
  t.notMatch(stdout, /<chain|<access denied>|!!!|Unknown header type/);
});

t.test('lspci lists the machine of the recordings as it did there', { skip: missing }, async (t) => {
  const { stdout } = lspci(new Host(q35()), `${t.testdir()}/sys`, '-nk');
  t.equal(
    stdout,
    [
      '00:00.0 0600: 8086:29c0',
      '	Subsystem: 1af4:1100',
      '00:01.0 0002: 1af4:1009',
      '	Subsystem: 1af4:0009',
      '	Kernel driver in use: virtio-pci',
      '00:03.0 0100: 1af4:1001',
      '	Subsystem: 1af4:0002',
      '	Kernel driver in use: virtio-pci',
      '00:04.0 0200: 8086:10d3',
      '	Subsystem: 8086:0000',
      '00:05.0 0108: 1b36:0010 (rev 02)',
      '	Subsystem: 1af4:1100',
      '00:06.0 0604: 1b36:000c',
      '	Subsystem: 1b36:0000',
      '	Kernel driver in use: pcieport',
      '00:1f.0 0601: 8086:2918 (rev 02)',
      '	Subsystem: 1af4:1100',
      '00:1f.2 0106: 8086:2922 (rev 02)',
      '	Subsystem: 1af4:1100',
      '00:1f.3 0c05: 8086:2930 (rev 02)',
      '	Subsystem: 1af4:1100',
      '01:00.0 0200: 8086:10d3',
      '	Subsystem: 8086:0000',
      '',
    ].join('\n'),
  );
});
