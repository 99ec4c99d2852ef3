import t from 'tap';
import { readTrace } from './trace.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const dir = t.testdir({
  'ioctl-x.txt': [
    'fd=3(/dev/kvm) req=0xae01 arg=0  ret=9',
    'fd=12(/dev/vfio/7) req=0x3b68 in=0d000000 ret=0',
    'fd=13(/dev/vfio/vfio) req=0x3b66 arg=3  ret=0',
    'fd=9(anon_inode:kvm-vm) req=0xc00caee0 in=040000000000000000000000 ret=0 out=040000000e00000000000000',
    'fd=14(anon_inode:kvm-vfio) req=0x4018aee1 in=00 attrfd=12(/dev/vfio/7) ret=0',
    `fd=12(/dev/vfio/7) req=0x3b6a str="${UUID}"  ret=15`,
    'fd=15(anon_inode:[vfio-device]) req=0x3b70 in=0c000000 ret=-1 errno=25(ENOTTY)',
  ].join('\n'),
});
const { steps } = readTrace({
  kind: 'trace',
  name: 'tools/ioctl-x.txt',
  path: `${dir}/ioctl-x.txt`,
  profile: 'default',
});

t.test('the device of the trace is made first', async (t) => {
  t.match(steps[0], { op: 'echo', args: { data: { s: UUID } }, ret: 36 });
});

t.test('a file is opened before the first line that names it, in a structure too', async (t) => {
  const opened = steps.filter(({ op }) => op === 'open').map(({ args, ret }) => [args, ret]);
  t.match(opened, [
    [{ path: '/dev/kvm' }, 'fd3'],
    [{ path: '/dev/vfio/7' }, 'fd12'],
    [{ path: '/dev/vfio/vfio' }, 'fd13'],
  ]);
  t.match(steps[5], {
    op: 'ioctl',
    args: { fd: 'fd12', req: 'VFIO_GROUP_SET_CONTAINER', in: '0d000000', fdarg: 'fd13' },
    ret: 0,
  });
});

t.test('descriptors that a request returns have names, and results are kept', async (t) => {
  const ioctls = steps.filter(({ op }) => op === 'ioctl');
  t.match(ioctls[0], { args: { req: 'KVM_CREATE_VM', arg: 0 }, ret: 'fd9' });
  t.match(ioctls[3], { out: '040000000e00000000000000', newfd: 'fd14' });
  t.match(ioctls[4], { args: { fd: 'fd14', addr: { int32_fd: 'fd12' } } });
  t.match(ioctls[5], { args: { in: Buffer.from(`${UUID}\0`).toString('hex') }, ret: 'fd15' });
  t.match(ioctls[6], { errno: 'ENOTTY' });
  t.notOk('ret' in ioctls[6]!);
});
