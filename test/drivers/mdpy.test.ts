import t from 'tap';
import { VFIO_DEVICE_QUERY_GFX_PLANE } from '../../src/uapi/vfio.js';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { openSample, outcome, words } from './opened.js';

const MEMORY = 0x1000;
const PLANE_SIZE = 60;

t.test('the vendor capability describes the framebuffer', async (t) => {
  const device = openSample('mdpy-xga');
  t.equal(device.read(4, 0), '361b0f00');
  t.equal(device.read(1, 0x34), '40');
  t.equal(device.read(16, 0x40), '09001000585232340004000000030000');
  device.write('ffffffff', 0x10);
  t.equal(device.read(4, 0x10), '0800c0ff', 'four megabytes');
});

t.test('a region access reaches the first bytes, a mapping all of them', async (t) => {
  const device = openSample('mdpy-vga');
  device.write('61626364', MEMORY + 400);
  t.equal(device.read(8, MEMORY), '6162636461626364');
  const address = device.process.mmap(device.fd, 3, 1, 0x200000, MEMORY);
  t.equal(device.process.memory.read(address, 5).toString('hex'), '6162636400');
  device.process.memory.write(address, Buffer.from('zz'));
  t.equal(device.read(4, MEMORY), '7a7a6364');
});

t.test('only the framebuffer can be mapped, from its beginning', async (t) => {
  const device = openSample('mdpy-vga');
  const map = (length: number, offset: number) =>
    outcome(() => device.process.mmap(device.fd, 3, 1, length, offset));
  t.equal(map(4096, 0), 'EINVAL');
  t.equal(map(4096, 0x2000), 'EINVAL');
  t.equal(map(0x201000, MEMORY), 'EINVAL');
  t.not(map(0x200000, MEMORY), 'EINVAL');
});

t.test('a reset draws a gradient from black to white', async (t) => {
  const device = openSample('mdpy-vga');
  const address = device.process.mmap(device.fd, 3, 1, 0x200000, MEMORY);
  const { memory } = device.process;
  const line = (n: number) => memory.read(address + BigInt(n * 640 * 4), 1)[0];
  t.strictSame([line(0), line(240), line(479)], [0, 127, 254]);
  memory.write(address, Buffer.alloc(0x100000, 0xff));
  t.equal(device.ioctl(VFIO_DEVICE_RESET), 0);
  t.strictSame([line(0), line(240), line(479)], [0, 127, 254]);
});

t.test('accesses between the regions and beyond them are EFAULT, and logged', async (t) => {
  const device = openSample('mdpy-vga');
  t.equal(device.read(1, 0xfe), '00');
  t.equal(
    outcome(() => device.read(1, 0xff)),
    'EFAULT',
  );
  t.equal(
    outcome(() => device.write('00', MEMORY + 0x200000)),
    'EFAULT',
  );
  t.equal(
    outcome(() => device.read(4, 2 ** 62)),
    'EFAULT',
  );
  t.strictSame(
    device.log.map((line) => line.split(': ').slice(1).join(': ')),
    [
      'mdev_access: RD @0xff (unhandled)',
      'mdev_access: WR @0x201000 (unhandled)',
      'mdev_access: RD @0x4000000000000000 (unhandled)',
    ],
  );
});

t.test('there are no interrupts, once it was asked; setting any is EINVAL', async (t) => {
  const device = openSample('mdpy-vga');
  t.equal(
    outcome(() => device.irq(0)),
    'EINVAL',
  );
  t.strictSame(device.info(), [2, 9, 5]);
  t.strictSame(device.irq(4, 0x55), [0x55, 0], 'flags stay as they were');
  t.equal(
    outcome(() => device.setIrqs(0, 0x21)),
    'EINVAL',
  );
});

t.test('the plane is a region, and is asked for as one', async (t) => {
  const device = openSample('mdpy-hd');
  const plane = Buffer.concat([words(PLANE_SIZE, 4, 7), Buffer.alloc(48, 0xff)]);
  t.equal(device.ioctl(VFIO_DEVICE_QUERY_GFX_PLANE, plane), 0);
  t.equal(
    plane.toString('hex'),
    words(60, 4, 7, 0x34325258, 0, 0, 1920, 1080, 7680, 0x800000, 0, 0, 0, 0, 16).toString('hex'),
  );
  const ask = (argsz: number, flags: number) =>
    outcome(() =>
      device.ioctl(VFIO_DEVICE_QUERY_GFX_PLANE, Buffer.concat([words(argsz, flags), Buffer.alloc(56)])),
    );
  t.strictSame([ask(60, 5), ask(60, 3), ask(60, 2), ask(60, 6), ask(59, 4)], [0, ...Array(4).fill('EINVAL')]);
});
