import t from 'tap';
import type { Host } from './host.js';
import type { Step } from './recording.js';
import { replayCase } from './steps.js';
import { type Sys, SysError, Unsupported } from './sys.js';

const silent: Host = {
  loadModule: () => 0,
  unloadModule: () => 1,
  takeUevents: () => undefined,
  takeLog: () => ['a line'],
};

/** A system of which only the calls given here may be used. */
const verdicts = async (
  calls: Partial<Sys>,
  steps: Step[],
  over: 'process' | 'mount' = 'process',
  host = silent,
) => {
  const results = await replayCase({ sys: calls as Sys, host, over }, { id: 'case', desc: '', steps });
  return results.map(({ verdict }) => verdict);
};

const fail = (errno: number) => () => {
  throw new SysError(errno);
};
const open: Step = { op: 'open', args: { path: '/sys/x', flags: 'O_RDONLY' }, ret: 'fd1' };
const read: Step = { op: 'read', args: { fd: 'fd1', n: 4 }, ret: { s: '24\n' } };

t.test('a step matches by its result, or by its errno', async (t) => {
  const calls = { open: () => 3, read: () => Buffer.from('24\n'), close: () => {} };
  t.same(await verdicts(calls, [open, read]), ['match', 'match']);
  t.same(await verdicts({ ...calls, read: () => Buffer.from('23\n') }, [open, read]), ['match', 'mismatch']);
  t.same(await verdicts({ ...calls, read: fail(19) }, [open, read]), ['match', 'mismatch']);
  const failed = { ...read, ret: undefined, errno: 'ENODEV' };
  t.same(await verdicts({ ...calls, read: fail(19) }, [open, failed]), ['match', 'match']);
});

t.test('what needs a descriptor that was not opened is a mismatch too', async (t) => {
  const calls = { open: fail(2), read: () => Buffer.from('24\n') };
  t.same(await verdicts(calls, [open, read]), ['mismatch', 'mismatch']);
});

t.test('every descriptor is closed at the end, also one that should not have been there', async (t) => {
  const closed: number[] = [];
  let fd = 3;
  const calls = { open: () => fd++, close: (closing: number) => void closed.push(closing) };
  const refused = { ...open, ret: undefined, errno: 'EACCES' };
  t.same(await verdicts(calls, [open, refused]), ['match', 'mismatch']);
  t.same(closed.sort(), [3, 4]);
});

t.test('echo says which of its calls failed', async (t) => {
  const step: Step = { op: 'echo', args: { path: '/sys/x', data: { s: '1' } }, errno: 'EINVAL', at: 'write' };
  const calls = { open: () => 3, close: () => {}, write: fail(22) };
  t.same(await verdicts(calls, [step]), ['match']);
  t.same(await verdicts({ ...calls, open: fail(22) }, [step]), ['mismatch']);
  t.same(await verdicts({ ...calls, write: () => Promise.reject(new SysError(22)) }, [step]), ['match']);
});

t.test('an exception excuses a difference over its transport, and never a match', async (t) => {
  const step: Step = { op: 'statfs', args: { path: '/sys' }, ret: { f_type: '0x62656572' } };
  const calls = { statfs: fail(38) };
  t.same(await verdicts(calls, [step], 'mount'), ['excused']);
  t.same(await verdicts(calls, [step], 'process'), ['mismatch']);
  t.same(await verdicts({}, [step], 'process'), ['excused'], 'there is no such call in process');
});

t.test('a call that the transport cannot make and no exception covers is a mismatch', async (t) => {
  const calls = {
    lstat: () => {
      throw new Unsupported('not here');
    },
  };
  t.same(await verdicts(calls, [{ op: 'lstat', args: { path: '/sys/x' }, ret: {} }]), ['mismatch']);
  t.same(await verdicts({}, [{ op: 'frobnicate', args: {}, ret: 0 }]), ['mismatch']);
});

t.test('a note is checked when it says something that can be looked at', async (t) => {
  const note = (fields: object): Step => ({ op: 'note', text: 'note', ...fields });
  t.same(await verdicts({}, [note({})]), ['comment']);
  t.same(await verdicts({}, [note({ text: 'kmsg', lines: ['a line'] })]), ['match']);
  t.same(await verdicts({}, [note({ text: 'kmsg', lines: ['another'] })]), ['mismatch']);
  t.same(
    await verdicts({}, [note({ text: 'sh rmmod mdev', r: [1, 'in use'] })]),
    ['match'],
    'only the status counts',
  );
  t.same(await verdicts({}, [note({ text: 'sh modprobe mdpy count=2', r: [1, ''] })]), ['mismatch']);
  t.same(await verdicts({}, [note({ events: [] })], 'mount'), ['excused']);
});

t.test('uevents are compared without their numbers, and those of the setup are left out', async (t) => {
  const taken = [[], [['add@/a', 'ACTION=add', 'SEQNUM=7']], [['add@/b', 'ACTION=add', 'SEQNUM=8']], []];
  const host: Host = { ...silent, takeUevents: () => taken.shift() ?? [] };
  const calls = { open: () => 3, close: () => {}, write: () => 1 };
  const setup: Step = { op: 'echo', tag: 'setup', args: { path: '/sys/x', data: { s: '1' } }, ret: 1 };
  const events: Step = { op: 'note', text: 'uevents', events: [['add@/b', 'ACTION=add']] };
  t.same(await verdicts(calls, [setup, events], 'process', host), ['match', 'match']);
});
