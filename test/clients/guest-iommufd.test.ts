import { spawnSync } from 'node:child_process';
import t from 'tap';
import { Errno } from '../../src/lib/errno.js';
import { GPU, UUID } from './client.js';
import { Guest, noGuest } from './guest.js';
import { vgpuWorks } from './guest-vgpu.js';
import { QEMU } from './qemu.js';
import { inRun } from './session.js';

/** QEMU can since 9.0. Another one than the package's: `QEMU=PATH`. */
const noIommufd = (): string | false => {
  const { stdout } = spawnSync(QEMU, ['-device', 'vfio-pci,help'], { encoding: 'utf8' });
  return stdout?.includes('iommufd') ? false : `${QEMU} has no iommufd`;
};

const CREATE = `
  echo ${UUID} > /sys/class/mdev_bus/${GPU}/mdev_supported_types/nvidia-36/create || exit
  exec "$@"`;
const iommufd = [
  ...['-object', 'iommufd,id=iommufd0'],
  ...['-device', `vfio-pci,sysfsdev=/sys/bus/mdev/devices/${UUID},addr=4,iommufd=iommufd0`],
];

t.test('a guest drives a device by way of an iommufd', { skip: noGuest() || noIommufd() }, async (t) => {
  const guest = await Guest.boot(t, iommufd, { prefix: [...inRun(), 'sh', '-c', CREATE, 'sh'] });
  await vgpuWorks(t, guest, '0000:00:04.0', { unmapped: Errno.ENOENT });
});
