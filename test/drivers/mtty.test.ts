import t from 'tap';
import { VFIO_DEVICE_RESET } from '../../src/uapi/vfio-irq.js';
import { CONFIG, openSample, outcome, words } from './opened.js';

const BAR0 = CONFIG + 0x10;
const BAR1 = CONFIG + 0x14;
/** Of VFIO_IRQ_SET: data and action. */
const [NONE, BOOL, EVENTFD, MASK, UNMASK, TRIGGER] = [1, 2, 4, 8, 16, 32];
const [INTX, MSI] = [0, 1];
const PORT1 = 2 ** 40;

t.test('a card with one port has one base address, with two it has two', async (t) => {
  const one = openSample('mtty-1');
  t.strictSame(
    [0, 1, 7].map((index) => one.region(index)[1]),
    [8, 0, 0xff],
  );
  t.strictSame([one.read(4, BAR0), one.read(4, BAR1)], ['01000000', '00000000']);
  one.write('ffffffff', BAR1);
  t.equal(one.read(4, BAR1), '00000000');
  const two = openSample('mtty-2');
  t.strictSame(
    [0, 1, 7].map((index) => two.region(index)[1]),
    [8, 8, 0xff],
  );
  two.write('ffffffff', BAR1);
  t.equal(two.read(4, BAR1), 'f9ffffff');
  t.strictSame(two.log, ['BAR1 addr 0xffffffff']);
});

t.test('a region of any index up to 8 can be asked for, with flags 3 and its place', async (t) => {
  const device = openSample('mtty-1');
  for (let index = 0; index < 9; index++) {
    const [flags, , offset] = device.region(index);
    t.strictSame([flags, offset], [3, index * 2 ** 40]);
  }
  t.equal(
    outcome(() => device.region(9)),
    'EINVAL',
  );
});

t.test('all ones in a base address ask for its size; a short write finds ones in the rest', async (t) => {
  const device = openSample('mtty-1');
  device.write('ffffffff', BAR0);
  t.equal(device.read(4, BAR0), 'f9ffffff');
  device.write('00c00000', BAR0);
  t.equal(device.read(4, BAR0), '01c00000');
  device.write('00', BAR0);
  t.equal(device.read(4, BAR0), '01ffffff');
  t.strictSame(device.log, ['BAR0 addr 0xffffffff', 'BAR0 addr 0xc000', 'BAR0 addr 0xffffff00']);
});

t.test('a configuration register takes only what begins at its first byte', async (t) => {
  const device = openSample('mtty-1');
  device.write('0700', CONFIG + 4);
  t.equal(device.read(4, CONFIG + 4), '01000002', 'command and status are fixed');
  device.write('0b05', CONFIG + 0x3c);
  t.equal(device.read(2, CONFIG + 0x3c), '0b01', 'the line, not the pin');
  device.write('ffff', CONFIG + 0x12);
  t.strictSame(device.log, ['PCI config write @0x12 of 2 bytes not handled']);
});

t.test(
  'an access is cut into double words, words and bytes; a port sees the first byte of each',
  async (t) => {
    const device = openSample('mtty-1');
    t.equal(device.write('41424344', 0), 4);
    t.equal(device.read(1, 5), '01');
    t.equal(device.read(1, 0), '41');
    t.equal(device.read(1, 5), '60', 'one byte was sent');
    t.equal(device.write('11225a', 5), 3);
    t.equal(device.read(1, 7), '00', 'the third byte is in the word that begins at 6');
    device.write('5a', 7);
    t.equal(device.read(4, 4), '00000000');
    t.equal(device.read(3, 5), '60b300', 'a byte at 5, a word at 6');
  },
);

t.test('beyond the configuration space there are zeros, beyond the regions EFAULT', async (t) => {
  const device = openSample('mtty-1');
  t.equal(device.read(4, CONFIG + 0xfc), '00000000');
  for (const region of [6, 8, 9, 20, 2 ** 22]) {
    t.equal(
      outcome(() => device.read(4, region * 2 ** 40)),
      'EFAULT',
    );
    t.equal(
      outcome(() => device.write('00000000', region * 2 ** 40)),
      'EFAULT',
    );
  }
  t.equal(device.read(0, 6 * 2 ** 40), '', 'nothing can be read anywhere');
});

t.test('the card has no interrupts until it was asked what it has', async (t) => {
  const device = openSample('mtty-1');
  const eventfd = device.process.eventfd();
  t.equal(
    outcome(() => device.irq(INTX)),
    'EINVAL',
  );
  t.equal(
    outcome(() => device.setIrqs(INTX, EVENTFD | TRIGGER, words(eventfd))),
    'EINVAL',
  );
  t.strictSame(device.info(), [2, 9, 5]);
  t.strictSame(device.irq(INTX), [7, 1]);
  t.strictSame(device.irq(MSI), [9, 1]);
  t.strictSame(
    [2, 3, 4, 5].map((index) => outcome(() => device.irq(index))),
    ['EINVAL', 'EINVAL', 'EINVAL', 'EINVAL'],
  );
  device.reopen();
  t.equal(device.setIrqs(INTX, EVENTFD | TRIGGER, words(eventfd)), 0, 'it remembers that it was asked');
});

t.test('INTx masks itself when it fires, until it is unmasked', async (t) => {
  const device = openSample('mtty-1');
  const eventfd = device.process.eventfd();
  device.info();
  device.setIrqs(INTX, EVENTFD | TRIGGER, words(eventfd));
  device.setIrqs(INTX, NONE | TRIGGER);
  device.setIrqs(INTX, NONE | TRIGGER);
  t.equal(device.signals(eventfd), 1);
  device.setIrqs(INTX, BOOL | UNMASK, Buffer.from([0]));
  device.setIrqs(INTX, NONE | TRIGGER);
  t.equal(device.signals(eventfd), 0, 'a zero unmasks nothing');
  device.setIrqs(INTX, BOOL | UNMASK, Buffer.from([1]));
  device.setIrqs(INTX, BOOL | TRIGGER, Buffer.from([1]));
  t.equal(device.signals(eventfd), 1);
  device.setIrqs(INTX, NONE | UNMASK);
  device.setIrqs(INTX, NONE | MASK);
  device.setIrqs(INTX, NONE | TRIGGER);
  t.equal(device.signals(eventfd), 0);
  t.equal(
    outcome(() => device.setIrqs(INTX, EVENTFD | UNMASK, words(eventfd))),
    'ENOTTY',
  );
});

t.test('MSI and INTx exclude each other', async (t) => {
  const device = openSample('mtty-2');
  const [msi, intx] = [device.process.eventfd(), device.process.eventfd()];
  device.info();
  device.setIrqs(MSI, EVENTFD | TRIGGER, words(msi));
  t.equal(
    outcome(() => device.setIrqs(INTX, EVENTFD | TRIGGER, words(intx))),
    'EINVAL',
  );
  device.write('01', PORT1 + 2);
  device.write('01', PORT1 + 1);
  for (const byte of ['41', '42']) device.write(byte, PORT1);
  t.equal(device.signals(msi), 1, 'the level was reached once');
  device.setIrqs(MSI, NONE | TRIGGER);
  device.setIrqs(MSI, NONE | TRIGGER);
  t.equal(device.signals(msi), 2, 'MSI does not mask itself');
  t.equal(
    outcome(() => device.setIrqs(MSI, NONE | MASK)),
    'ENOTTY',
  );
  device.setIrqs(MSI, EVENTFD | TRIGGER, words(-1));
  t.equal(device.setIrqs(INTX, EVENTFD | TRIGGER, words(intx)), 0, 'after the descriptor -1');
  t.equal(device.setIrqs(INTX, NONE | TRIGGER, undefined, 0), 0, 'none of no interrupts ends it');
  t.equal(device.setIrqs(MSI, EVENTFD | TRIGGER, words(msi)), 0);
});

t.test('a descriptor that is no good ends the interrupt that was there', async (t) => {
  const device = openSample('mtty-1');
  const eventfd = device.process.eventfd();
  device.info();
  device.setIrqs(INTX, EVENTFD | TRIGGER, words(eventfd));
  t.equal(
    outcome(() => device.setIrqs(INTX, EVENTFD | TRIGGER, words(999))),
    'EBADF',
  );
  t.equal(
    outcome(() => device.setIrqs(INTX, NONE | TRIGGER)),
    'EINVAL',
  );
  t.equal(
    outcome(() => device.setIrqs(INTX, EVENTFD | TRIGGER, words(device.container))),
    'EINVAL',
    'no eventfd',
  );
});

t.test('no action, or two at once, is done without being done; other indexes do nothing', async (t) => {
  const device = openSample('mtty-1');
  const eventfd = device.process.eventfd();
  device.info();
  t.equal(device.setIrqs(INTX, EVENTFD, words(eventfd)), 0);
  t.equal(device.setIrqs(INTX, EVENTFD | MASK | TRIGGER, words(eventfd)), 0);
  t.equal(
    outcome(() => device.setIrqs(INTX, NONE | TRIGGER)),
    'EINVAL',
    'nothing was armed',
  );
  for (const index of [2, 3, 4]) {
    t.equal(
      outcome(() => device.setIrqs(index, EVENTFD | TRIGGER, words(eventfd))),
      'ENOTTY',
    );
  }
});

t.test(
  'configuration and registers survive closing and a reset, eventfds do not survive closing',
  async (t) => {
    const device = openSample('mtty-1');
    const eventfd = device.process.eventfd();
    device.info();
    device.setIrqs(INTX, EVENTFD | TRIGGER, words(eventfd));
    device.write('5a', 7);
    device.write('0b', CONFIG + 0x3c);
    t.equal(device.ioctl(VFIO_DEVICE_RESET), 0);
    t.strictSame(device.log, ['mtty_reset: called']);
    device.setIrqs(INTX, NONE | TRIGGER);
    t.equal(device.signals(eventfd), 1);
    device.reopen();
    t.strictSame([device.read(1, 7), device.read(1, CONFIG + 0x3c)], ['5a', '0b']);
    t.equal(
      outcome(() => device.setIrqs(INTX, NONE | TRIGGER)),
      'EINVAL',
    );
    device.process.close(eventfd);
  },
);

t.test('nothing of the card can be mapped', async (t) => {
  const device = openSample('mtty-1');
  t.equal(
    outcome(() => device.process.mmap(device.fd, 3, 1)),
    'EINVAL',
  );
});
