import t from 'tap';
import { userPointer } from '../../src/machine/user-pointer.js';
import { eventfdOf, readIrqSet } from '../../src/vfio/irq.js';
import { openSample, outcome, words } from '../drivers/opened.js';

const U32_MAX = 0xffffffff;
const [NONE, BOOL, EVENTFD, TRIGGER] = [1, 2, 4, 32];

const { memory } = openSample('mdpy-vga').process;
/** What a structure becomes for a device with two interrupts at index 1 and none elsewhere. */
const read = (bytes: Buffer) =>
  outcome(() => readIrqSet(userPointer(bytes, memory), (index) => (index === 1 ? 2 : 0), 5));
const set = (argsz: number, flags: number, index: number, start: number, count: number, data = '') =>
  read(Buffer.concat([words(argsz, flags, index, start, count), Buffer.from(data, 'hex')]));

t.test('data is of exactly one type, and there is as much as the interrupts need', async (t) => {
  t.match(set(20, NONE | TRIGGER, 1, 0, 2), {
    index: 1,
    start: 0,
    count: 2,
    dataType: NONE,
    action: TRIGGER,
  });
  t.match(set(22, BOOL | TRIGGER, 1, 0, 2, '0100'), { data: Buffer.from([1, 0]) });
  t.equal(set(21, BOOL | TRIGGER, 1, 0, 2, '0100'), 'EINVAL');
  t.equal(set(27, EVENTFD | TRIGGER, 1, 0, 2, '0000000000000000'), 'EINVAL');
  for (const none of [0, NONE | BOOL, NONE | BOOL | EVENTFD])
    t.equal(set(64, none | TRIGGER, 1, 0, 1), 'EINVAL');
});

t.test('unknown flags and indexes, and interrupts that are not there, are EINVAL', async (t) => {
  t.equal(set(20, NONE | 64, 1, 0, 1), 'EINVAL');
  t.equal(set(20, NONE | 0x80000000, 1, 0, 1), 'EINVAL');
  t.equal(set(20, NONE, 5, 0, 1), 'EINVAL');
  t.equal(set(20, NONE, 0, 0, 0), 'EINVAL', 'not even none of none');
  t.equal(set(20, NONE, 1, 2, 0), 'EINVAL');
  t.equal(set(20, NONE, 1, 1, 2), 'EINVAL');
  t.equal(set(20, NONE, 1, 0, U32_MAX), 'EINVAL');
  t.equal(set(20, NONE, 1, U32_MAX, 1), 'EINVAL', 'the sum wraps around');
  t.match(set(20, NONE, 1, 1, 0), { count: 0 });
});

t.test(
  'a structure too small for its header is EINVAL, a header or data that is not there EFAULT',
  async (t) => {
    t.equal(set(19, NONE, 1, 0, 1), 'EINVAL');
    t.equal(read(Buffer.alloc(19)), 'EFAULT');
    t.equal(set(24, EVENTFD, 1, 0, 1, '0000'), 'EFAULT');
  },
);

t.test('an eventfd is held by the device that uses it', async (t) => {
  const { process } = openSample('mdpy-vga');
  const fd = process.eventfd();
  const eventfd = eventfdOf(process, fd);
  let released = false;
  const wakeUp = () => {
    released = true;
  };
  eventfd.listen(wakeUp);
  process.close(fd);
  eventfd.signal();
  t.ok(released, 'listeners are still there');
  released = false;
  eventfd.put();
  eventfd.signal();
  t.notOk(released);
});
