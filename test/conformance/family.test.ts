import t from 'tap';
import { driverStates, families } from './family.js';
import type { RecordingFile, Snapshot } from './recording.js';
import type { System } from './steps.js';
import { shellAction } from './vgpu.js';

const file = (path: string, profile: RecordingFile['profile'] = 'default'): RecordingFile => ({
  kind: 'snapshot',
  name: path,
  path,
  profile,
});

/** A system that writes down what is done to it. */
function recorder(): { system: System; done: string[] } {
  const done: string[] = [];
  const paths = new Map<number, string>();
  const system = {
    over: 'process',
    sys: {
      open: (path: string) => {
        paths.set(paths.size, path);
        return paths.size - 1;
      },
      write: (fd: number, data: Uint8Array) => {
        done.push(`echo ${Buffer.from(data).toString().trim()} > ${paths.get(fd)}`);
        return data.length;
      },
      close: () => {},
    },
    host: {
      loadModule: (name: string) => done.push(`load ${name}`),
      unloadModule: (name: string) => done.push(`unload ${name}`),
    },
  } as unknown as System;
  return { system, done };
}

t.test('snapshots are sorted into families by name and kernel', async (t) => {
  const found = families([
    file('/x/mtty-00-before.json'),
    file('/x/mtty-03-one.json'),
    file('/x/pci-intel-00-boot.json'),
    file('/y/mtty-03-one.json', 'deblike'),
  ]);
  t.same(
    found.map(({ name, profile, states }) => [name, profile, [...states.keys()]]),
    [
      ['mtty', 'default', [0, 3]],
      ['pci-intel', 'default', [0]],
      ['mtty', 'deblike', [3]],
    ],
  );
});

t.test('the life of a driver is led with the devices of its snapshots', async (t) => {
  const parent = '/sys/devices/virtual/mdpy/mdpy';
  const [one, two] = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'];
  const device = (uuid: string, type: string) => ({
    [`${parent}/${uuid}/mdev_type`]: { target: `../mdev_supported_types/${type}` },
  });
  const snapshots: Record<number, Snapshot> = {
    3: { name: '', kernel: '', nodes: device(one, 'mdpy-vga') },
    4: { name: '', kernel: '', nodes: { ...device(two, 'mdpy-hd'), ...device(one, 'mdpy-vga') } },
  };
  const { system, done } = recorder();
  for (const action of driverStates('mdpy', (state) => snapshots[state], 'deblike')) await action(system);
  const types = `${parent}/mdev_supported_types`;
  const bus = '/sys/bus/mdev';
  t.same(done, [
    'load vfio',
    'load vfio_iommu_type1',
    'load mdev',
    'load mdpy',
    `echo ${one} > ${types}/mdpy-vga/create`,
    `echo ${two} > ${types}/mdpy-hd/create`,
    `echo ${two} > ${bus}/drivers/mdpy/unbind`,
    `echo ${two} > ${bus}/drivers/mdpy/bind`,
    `echo ${two} > ${bus}/drivers_probe`,
    `echo 1 > ${bus}/devices/${one}/remove`,
    `echo 1 > ${bus}/devices/${two}/remove`,
    `echo ${one} > ${types}/mdpy-vga/create`,
    `echo ${two} > ${types}/mdpy-hd/create`,
    'unload mdpy',
    'unload mdev',
    'unload vfio_iommu_type1',
    'unload vfio',
  ]);
});

t.test('shell commands of a transcript become actions; those that only look become none', async (t) => {
  const { system, done } = recorder();
  for (const command of [
    'modprobe mdev',
    'insmod /lib/modules/$(uname -r)/extra/vgpu_oracle.ko || insmod /out/vgpu_oracle-$(uname -r).ko',
    'echo 0000:01:00.0 > /sys/bus/pci/drivers_probe',
    'rmmod vgpu_oracle',
    'lspci -nnk',
    'settle',
  ])
    await shellAction(command)?.(system);
  t.same(done, [
    'load mdev',
    'load vgpu_oracle',
    'echo 0000:01:00.0 > /sys/bus/pci/drivers_probe',
    'unload vgpu_oracle',
  ]);
});
