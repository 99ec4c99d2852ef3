import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { NativeCalls } from '../../src/host/native.js';
import { receiveFd, sendFd } from '../../src/host/pass-fd.js';
import { assemble, heldProgram } from '../../src/host/seccomp-filter.js';
import {
  decodeSeccompNotif,
  encodeSeccompNotifAddfd,
  encodeSeccompNotifResp,
} from '../../src/uapi/seccomp.js';

const ALLOW = 0x7fff0000;
const NOTIFY = 0x7fc00000;
const X64 = { audit: 0xc000003e, seccomp: 317, ioctl: 16, prlimit64: 302 };

/** Does what the kernel does with a filter and a system call. */
function run(program: Buffer, nr: number, args: readonly bigint[], audit = X64.audit): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const code = program.readUInt16LE(at * 8);
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x06) return value;
    else at += program.readUInt8(at * 8 + (accumulator === value ? 2 : 3));
  }
}

t.test('the filter holds the calls that FUSE cannot answer, and no others', async (t) => {
  const program = assemble(heldProgram(X64, true));
  const ioctl = (request: bigint) => run(program, X64.ioctl, [3n, request, 0x1000n]);
  for (const request of [0x3b6an, 0x3b73n, 0x3b75n, 0x3b76n, 0x3b8en, 0x4018aee1n])
    t.equal(ioctl(request), NOTIFY, request.toString(16));
  // The kernel takes a request for 32 bits.
  t.equal(ioctl(0xdead_0000_3b6an), NOTIFY);
  for (const request of [0x3b64n, 0x3b69n, 0x3b71n, 0x5401n, 0n])
    t.equal(ioctl(request), ALLOW, request.toString(16));
  const prlimit = (resource: bigint, wanted: bigint) =>
    run(program, X64.prlimit64, [0n, resource, wanted, 0n]);
  t.equal(prlimit(8n, 0x7fff_0000_0000n), NOTIFY);
  t.equal(prlimit(8n, 0x1000n), NOTIFY);
  t.equal(prlimit(8n, 0n), ALLOW, 'who only asks');
  t.equal(prlimit(7n, 0x1000n), ALLOW, 'another limit');
  t.equal(run(program, 0, [3n, 0x3b6an]), ALLOW, 'another call');
  t.equal(run(program, X64.ioctl, [3n, 0x3b6an], 0x40000003), ALLOW, 'of a 32-bit program');
  const machine = assemble(heldProgram(X64, false));
  t.equal(run(machine, X64.prlimit64, [0n, 8n, 0x1000n]), ALLOW, 'where the machine raises limits');
  t.equal(run(machine, X64.ioctl, [3n, 0x3b6an]), NOTIFY);
});

t.test('notifications are laid out as in linux/seccomp.h', async (t) => {
  const notif = Buffer.alloc(80);
  notif.writeBigUInt64LE(0x1234_5678_9abcn, 0);
  notif.writeUInt32LE(77, 8);
  notif.writeInt32LE(16, 16);
  for (let index = 0; index < 6; index++) notif.writeBigUInt64LE(BigInt(index + 1), 32 + 8 * index);
  t.strictSame(decodeSeccompNotif(notif), {
    id: 0x1234_5678_9abcn,
    thread: 77,
    nr: 16,
    args: [1n, 2n, 3n, 4n, 5n, 6n],
  });
  t.equal(encodeSeccompNotifResp(1n, 5).toString('hex'), '010000000000000005000000000000000000000000000000');
  t.equal(
    encodeSeccompNotifResp(1n, -22).toString('hex'),
    '01000000000000000000000000000000eaffffff00000000',
  );
  t.equal(
    encodeSeccompNotifResp(1n, 0, 1).toString('hex'),
    '010000000000000000000000000000000000000001000000',
  );
  t.equal(
    encodeSeccompNotifAddfd(1n, 9, 0x80000).toString('hex'),
    '010000000000000000000000090000000000000000000800',
  );
  t.equal(
    encodeSeccompNotifAddfd(1n, 9, 0, 4).toString('hex'),
    '010000000000000001000000090000000400000000000000',
  );
});

t.test('a descriptor travels in a socket, and is nowhere else', async (t) => {
  const calls = await NativeCalls.load();
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-pass-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'file'), 'what it was');
  const fd = openSync(join(dir, 'file'), 'r');
  const socket = sendFd(calls, fd);
  t.throws(() => closeSync(fd), { code: 'EBADF' }, 'it is closed here');
  const received = receiveFd(calls, socket);
  t.equal(readFileSync(received, 'utf8'), 'what it was');
  closeSync(received);
  t.throws(() => receiveFd(calls, openSync(join(dir, 'file'), 'r')), /ENOTSOCK/);
});
