import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t from 'tap';
import { mdevfs, mountpoint } from './command.js';

const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : !existsSync('/dev/fuse')
      ? 'needs /dev/fuse'
      : spawnSync('lspci', ['--version']).error
        ? 'lspci is not installed'
        : false;

t.test('lspci reads the PCI functions of a mount', { skip: missing }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'nvidia-t4', dir).status, 0);
  const options = ['-A', 'linux-sysfs', '-O', `sysfs.path=${dir}/bus/pci`, '-nnk', '-vvv'];
  const { status, stdout } = spawnSync('lspci', options, { encoding: 'utf8' });
  t.equal(status, 0);
  const gpu = stdout.split('\n\n').find((paragraph) => paragraph.includes('[10de:1eb8]')) ?? '';
  t.match(gpu, /^3b:00\.0 /);
  t.match(gpu, /Kernel driver in use: nvidia/);
  t.match(gpu, /Express \(v2\) Endpoint/);
  t.match(gpu, /MSI-X: Enable\+/);
  t.notMatch(gpu, /unreadable|Unknown header|!!!/);
  t.equal(mdevfs('umount', dir).status, 0);
});

t.test('one type of a GPU at a time: the others have nothing left', { skip: missing }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', '-f', 'nvidia-t4', dir).status, 0);
  const script = `
    cd '${dir}/class/mdev_bus/0000:3b:00.0/mdev_supported_types' || exit
    cat nvidia-222/available_instances nvidia-229/available_instances
    echo 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 > nvidia-222/create
    cat nvidia-222/available_instances nvidia-229/available_instances
    echo 83b8f4f2-509f-382f-3c1e-e6bfe0fa1002 > nvidia-229/create
    echo 1 > '${dir}/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/remove'
    cat nvidia-222/available_instances nvidia-229/available_instances
  `;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  t.equal(stdout, '16\n1\n15\n0\n16\n1\n');
  t.match(stderr, /No space left on device/);
  t.equal(mdevfs('umount', dir).status, 0);
});
