import t from 'tap';
import type { Uevent } from '../../src/base/uevent.js';
import { UdevEvents } from '../../src/host/udev-event.js';
import { decodeLibudev } from '../../src/uapi/libudev.js';

const event = (action: Uevent['action'], ...env: string[]): Uevent => ({
  action,
  devpath: '/x',
  env,
  seqnum: 1,
});

t.test(
  'udev says when a device was first heard of until it is removed, and its node by the whole path',
  async (t) => {
    let now = 0n;
    const events = new UdevEvents(() => ++now);
    const say = (action: Uevent['action'], ...env: string[]) =>
      decodeLibudev(events.messageOf(event(action, ...env)));
    t.same(say('add', 'DEVNAME=vfio/0', 'SEQNUM=4'), [
      'DEVNAME=/dev/vfio/0',
      'SEQNUM=4',
      'USEC_INITIALIZED=1',
    ]);
    t.same(say('bind'), ['USEC_INITIALIZED=1']);
    t.same(say('remove'), ['USEC_INITIALIZED=1']);
    t.same(say('add'), ['USEC_INITIALIZED=2']);
  },
);
