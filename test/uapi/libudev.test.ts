import t from 'tap';
import { decodeLibudev, encodeLibudev } from '../../src/uapi/libudev.js';

/** What systemd-udevd 252 sent to its group after `echo add > /sys/class/net/lo/uevent`. */
const header = '6c69627564657600feedcafe28000000280000009e000000a74d3cc8000000000000000000000000';
const env = [
  'UDEV_DATABASE_VERSION=1',
  'ACTION=add',
  'DEVPATH=/devices/virtual/net/lo',
  'SUBSYSTEM=net',
  'SYNTH_UUID=0',
  'INTERFACE=lo',
  'IFINDEX=1',
  'SEQNUM=4444',
  'USEC_INITIALIZED=30374643701',
];
const received = Buffer.concat([Buffer.from(header, 'hex'), Buffer.from(`${env.join('\0')}\0`)]);

t.test("a message of udev's group is, byte by byte, what udevd sends", async (t) => {
  t.same(encodeLibudev(env), received);
  t.same(decodeLibudev(received), env);
});

t.test('what a receiver filters by is hashed, DEVTYPE too', async (t) => {
  const message = encodeLibudev(['SUBSYSTEM=net', 'DEVTYPE=net']);
  t.equal(message.readUInt32BE(28), message.readUInt32BE(24));
  t.equal(message.readUInt32BE(28), 0xa74d3cc8);
});

t.test('anything else is not of udev', async (t) => {
  t.equal(decodeLibudev(Buffer.from('add@/x\0ACTION=add\0')), undefined);
  const magic = Buffer.from(received);
  magic[8] = 0;
  t.equal(decodeLibudev(magic), undefined);
});
