import t from 'tap';
import { GPU, UUID, UUID2 } from './client.js';
import { Guest, noGuest } from './guest.js';
import { serialPortsWork } from './guest-serial.js';
import { vgpuWorks } from './guest-vgpu.js';
import { inRun } from './session.js';

const CREATE = `
  cd /sys/class/mdev_bus || exit
  echo ${UUID} > mtty/mdev_supported_types/mtty-2/create || exit
  echo ${UUID2} > ${GPU}/mdev_supported_types/nvidia-36/create || exit
  cd / && exec "$@"`;
const device = (uuid: string, slot: number) => [
  '-device',
  `vfio-pci,sysfsdev=/sys/bus/mdev/devices/${uuid},addr=${slot}`,
];

t.test('a guest drives mediated devices', { skip: noGuest() }, async (t) => {
  const guest = await Guest.boot(t, [...device(UUID, 4), ...device(UUID2, 5)], {
    prefix: [...inRun(), 'sh', '-c', CREATE, 'sh'],
  });
  await t.test('lspci lists them', async (t) => {
    const card = await guest.output('lspci -vvnn -s 4 2>/dev/null');
    t.match(
      card,
      /^00:04\.0 Serial controller \[0700\]: .*\[4348:3253\] \(rev 10\) \(prog-if 02 \[16550\]\)$/m,
    );
    t.match(card, /Region 0: I\/O ports at [0-9a-f]+ \[size=8\]/);
    t.match(card, /Region 1: I\/O ports at [0-9a-f]+ \[size=8\]/);
    t.match(card, 'Kernel driver in use: serial');
    const gpu = await guest.output('lspci -vvnn -s 5 2>/dev/null');
    t.match(gpu, /^00:05\.0 VGA compatible controller \[0300\]: .*\[10de:13bd\] \(rev a2\)/m);
    t.match(gpu, /Region 0: Memory at [0-9a-f]+ \(32-bit, non-prefetchable\) \[size=4K\]/);
    t.match(gpu, /Region 1: Memory at [0-9a-f]+ \(32-bit, prefetchable\) \[size=16M\]/);
    t.match(gpu, /Capabilities: \[50\] MSI: Enable- Count=1\/1 Maskable- 64bit\+/);
  });

  await t.test('serial ports of the mtty card give back what was sent, and interrupt', async (t) => {
    await serialPortsWork(t, guest, '0000:00:04.0', 2);
  });

  await t.test('the vGPU', async (t) => {
    await vgpuWorks(t, guest, '0000:00:05.0');
  });
});
