import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  decodeNlmsgerr,
  decodeSockaddrNl,
  decodeUevent,
  encodeSockaddrNl,
  encodeUevent,
  NLMSG_HDRLEN,
  ueventFits,
} from '../../src/uapi/netlink.js';

const transcript = fileURLToPath(
  new URL('../../../test/data/oracle/uevents/vgpu-pci-parent.txt', import.meta.url),
);

/** What a listener on the kernel's group received from a real kernel, byte by byte. */
const recorded = [...readFileSync(transcript, 'latin1').matchAll(/^RAW b(['"])(.*)\1$/gm)].map(([, , text]) =>
  Buffer.from(
    text!.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ),
);

t.test('an event is sent as the recorded bytes without SEQNUM, which the kernel appends', async (t) => {
  t.ok(recorded.length > 50);
  for (const message of recorded) {
    const { header, env } = decodeUevent(message)!;
    const [action, devpath] = header.split('@') as [string, string];
    t.match(env.at(-1)!, /^SEQNUM=\d+$/);
    const sent = encodeUevent(action, devpath, env);
    const payload = message.subarray(0, message.lastIndexOf('SEQNUM='));
    t.same(sent.subarray(NLMSG_HDRLEN), payload);
    const head = Buffer.alloc(NLMSG_HDRLEN);
    head.writeUInt32LE(NLMSG_HDRLEN + payload.length, 0);
    head.set([16, 0, 1, 0], 4);
    t.same(sent.subarray(0, NLMSG_HDRLEN), head, 'length, type 16, NLM_F_REQUEST, no number, to the kernel');
  }
});

t.test('an address is its family, two bytes of nothing, a port and a mask of groups', async (t) => {
  t.equal(encodeSockaddrNl(2, 0x01020304).toString('hex'), '100000000403020102000000');
  t.same(decodeSockaddrNl(Buffer.from('100000000403020102000000', 'hex')), { port: 0x01020304, groups: 2 });
});

t.test('an answer of the kernel has a negative errno after its header', async (t) => {
  const answer = Buffer.from('240000000200000000000000000000 00ffffffff'.replace(' ', ''), 'hex');
  t.equal(decodeNlmsgerr(answer), 1);
  t.equal(decodeNlmsgerr(Buffer.alloc(36)), undefined);
});

t.test('an event fits when a SEQNUM of any length does', async (t) => {
  const withLength = (length: number) => encodeUevent('add', '/x', [`A=${'x'.repeat(length - 16 - 7 - 3)}`]);
  t.equal(withLength(2020).length, 2020);
  t.ok(ueventFits(withLength(2020)));
  t.notOk(ueventFits(withLength(2021)));
});

t.test('what has no header line or no last NUL is no event', async (t) => {
  t.equal(decodeUevent(Buffer.from('add@/x\0ACTION=add')), undefined);
  t.equal(decodeUevent(Buffer.from('nonsense\0A=1\0')), undefined);
});
