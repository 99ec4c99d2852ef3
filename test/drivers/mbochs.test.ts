import t from 'tap';
import { VFIO_DEVICE_GET_GFX_DMABUF, VFIO_DEVICE_QUERY_GFX_PLANE } from '../../src/uapi/vfio.js';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { type Opened, openSample, outcome, words } from './opened.js';

const MMIO = 0x1000;
const DISPI = MMIO + 0x500;
const EDID = 0x2000;
const BLOB = EDID + 0x800;
const MEMORY = 0x3000;
const PRIMARY = 1;

const half = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes.toString('hex');
};

/** A picture of 640 by 480 at a place in memory. */
function show(device: Opened, { x = 0, y = 0, bpp = 32, width = 640 } = {}): void {
  const registers: [number, number][] = [
    [1, width],
    [2, 480],
    [3, bpp],
    [8, x],
    [9, y],
    [4, 1],
  ];
  for (const [index, value] of registers) device.write(half(value), DISPI + 2 * index);
}

/** What QUERY_GFX_PLANE says from drm_format on. */
function plane(device: Opened, type = PRIMARY): number[] | string {
  const info = Buffer.concat([words(60, 2, type), Buffer.alloc(48, 0xff)]);
  return outcome(() => {
    device.ioctl(VFIO_DEVICE_QUERY_GFX_PLANE, info);
    return [12, 24, 28, 32, 36, 56].map((offset) => info.readUInt32LE(offset));
  });
}

t.test('the adapter is a Bochs display with its memory and a page of registers', async (t) => {
  const device = openSample('mbochs-medium');
  t.equal(device.read(4, 0), '34121111');
  device.write('ffffffff', 0x10);
  device.write('ffffffff', 0x18);
  t.strictSame([device.read(4, 0x10), device.read(4, 0x18)], ['080000ff', '00f0ffff']);
  device.write('00c00000', 0x18);
  t.match(device.log, [/: BAR #2 @ 0xc000$/]);
  t.strictSame(device.region(0), [7, 16 << 20, MEMORY]);
  t.strictSame(device.region(2), [3, 4096, MMIO]);
});

t.test('a region structure with more room than 48 bytes is EINVAL', async (t) => {
  const device = openSample('mbochs-small');
  t.strictSame(device.region(9, 48), [11, 4096, EDID]);
  t.equal(
    outcome(() => device.region(9, 49)),
    'EINVAL',
  );
});

t.test('interrupts are none, also when nobody asked for the info', async (t) => {
  const device = openSample('mbochs-small');
  t.strictSame(device.irq(4), [0, 0]);
  t.equal(
    outcome(() => device.irq(5)),
    'EINVAL',
  );
  t.equal(
    outcome(() => device.setIrqs(0, 0x21)),
    'EINVAL',
  );
});

t.test('DISPI registers are words; any other access finds nothing', async (t) => {
  const device = openSample('mbochs-small');
  t.equal(device.read(2, DISPI), 'c5b0');
  t.equal(device.read(2, DISPI + 20), '4000', 'memory in units of 64 KiB');
  t.equal(device.read(4, DISPI), '00000000');
  t.equal(device.read(1, DISPI), '00');
  device.write('aabbccdd', DISPI + 4);
  t.equal(device.read(2, DISPI + 4), '0000');
  device.write('8002', DISPI + 2);
  t.equal(device.read(2, DISPI + 2), '8002');
  t.equal(device.read(2, MMIO + 0x516), '0000');
});

t.test('registers survive closing the device; a reset clears them; memory does not survive', async (t) => {
  const device = openSample('mbochs-small');
  device.write('8002', DISPI + 2);
  device.write('01020304', MEMORY);
  t.equal(device.read(4, MEMORY), '01020304');
  device.reopen();
  t.strictSame([device.read(2, DISPI + 2), device.read(4, MEMORY)], ['8002', '00000000']);
  device.ioctl(VFIO_DEVICE_RESET);
  t.strictSame([device.read(2, DISPI + 2), device.read(2, DISPI)], ['0000', 'c5b0']);
});

t.test('a region access reaches memory two pages further on than a mapping', async (t) => {
  const device = openSample('mbochs-small');
  const address = device.process.mmap(device.fd, 3, 1, 4 << 20, MEMORY);
  device.write('01020304', MEMORY + 8);
  t.equal(device.process.memory.read(address + 8200n, 4).toString('hex'), '01020304');
  device.write('01020304', MEMORY + (4 << 20) - 4);
  t.equal(device.read(4, MEMORY + (4 << 20) - 4), '00000000', 'there are no such pages');
  t.equal(
    outcome(() => device.read(4, MEMORY + (4 << 20))),
    'EFAULT',
  );
  for (const [length, offset] of [
    [4096, 0],
    [4096, MMIO],
    [4096, MEMORY + 4096],
    [(4 << 20) + 4096, MEMORY],
  ] as const) {
    t.equal(
      outcome(() => device.process.mmap(device.fd, 3, 1, length, offset)),
      'EINVAL',
    );
  }
});

t.test('the EDID that user space writes is what the guest sees, while the link is up', async (t) => {
  const device = openSample('mbochs-small');
  t.equal(device.read(24, EDID), words(0x800, 0x400, 0, 800, 600, 0).toString('hex'));
  device.write('11223344', EDID);
  t.equal(device.read(4, EDID), '00080000', 'where it is cannot be changed');
  t.equal(device.read(2, EDID), '0000', 'registers are read whole');
  device.write('00ffffffffffff00', BLOB);
  t.equal(device.read(8, BLOB), '00ffffffffffff00');
  device.write(words(4).toString('hex'), EDID + 8);
  t.equal(device.read(4, MMIO), '00000000');
  device.write(words(1).toString('hex'), EDID + 20);
  t.equal(device.read(8, MMIO), '00ffffff00000000', 'as far as its length goes');
  device.write('ff', BLOB + 0x400);
  t.equal(device.read(1, BLOB + 0x400), '00', 'the blob has 1024 bytes');
});

t.test('an adapter that is off shows an empty plane, also one whose registers make no sense', async (t) => {
  const device = openSample('mbochs-small');
  const empty = [0, 0, 0, 0, 0, 0];
  t.strictSame(plane(device), empty);
  show(device, { bpp: 16 });
  t.strictSame(plane(device), empty);
  show(device, { width: 63 });
  t.strictSame(plane(device), empty);
  show(device, { y: 2000 });
  t.strictSame(plane(device), empty);
  t.strictSame(
    device.log.map((line) => line.split('mbochs_check_framebuffer: ')[1]),
    ['bpp 16 not supported', 'invalid resolution 63x480', 'framebuffer memory overflow'],
  );
  show(device);
  t.strictSame(plane(device, 2), empty, 'there is no plane but the primary one');
});

t.test('a picture that is asked for the first time is ENOMEM, then it is a buffer', async (t) => {
  const device = openSample('mbochs-small');
  show(device);
  t.equal(plane(device), 'ENOMEM');
  const shown = [0x34325258, 640, 480, 2560, 2560 * 480];
  t.strictSame(plane(device), [...shown, 1]);
  t.strictSame(plane(device), [...shown, 1]);
  show(device, { y: 8 });
  t.equal(plane(device), 'ENOMEM');
  t.strictSame(plane(device), [...shown, 2]);
  const get = (id: number) => outcome(() => device.ioctl(VFIO_DEVICE_GET_GFX_DMABUF, words(id)));
  t.equal(get(3), 'ENOENT');
  const buffer = get(2) as number;
  const picture = device.process.mmap(buffer, 3, 1, 4096, 0);
  device.process.memory.write(picture, Buffer.from('pixel'));
  const memory = device.process.mmap(device.fd, 3, 1, 4 << 20, MEMORY);
  t.equal(device.process.memory.read(memory + 20480n, 5).toString(), 'pixel');
  show(device, { x: 1 });
  plane(device);
  plane(device);
  t.equal(get(3), 'EINVAL', 'not at the beginning of a page');
  t.match(device.log.at(-1), /mbochs_dmabuf_export: framebuffer not page-aligned$/);
});
