import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { Twin, u32 } from './twin.js';

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

const sample = () => new Twin(kernfsCreateRoot(() => 0));
const set = (twin: Twin, name: string, value: string, flags = 0) =>
  twin.errno(FuseOp.SETXATTR, 1, u32(value.length), u32(flags), name, Buffer.from(value));
const get = (twin: Twin, name: string, room = 100) => {
  const { error, body } = twin.ask(FuseOp.GETXATTR, 1, u32(room), u32(0), name);
  return error || body.toString();
};
const list = (twin: Twin, room: number) => twin.ask(FuseOp.LISTXATTR, 1, u32(room), u32(0));

t.test('trusted. and security. attributes are kept', async (t) => {
  const twin = sample();
  t.equal(get(twin, 'trusted.x'), -Errno.ENODATA);
  t.equal(set(twin, 'trusted.x', 'value'), 0);
  t.equal(set(twin, 'security.y', ''), 0);
  t.equal(get(twin, 'trusted.x'), 'value');
  t.equal(get(twin, 'security.y'), '');
  t.equal(twin.ask(FuseOp.GETXATTR, 1, u32(0), u32(0), 'trusted.x').body.readUInt32LE(0), 5);
  t.equal(get(twin, 'trusted.x', 4), -Errno.ERANGE);
  t.equal(list(twin, 100).body.toString(), 'trusted.x\0security.y\0');
  t.equal(list(twin, 0).body.readUInt32LE(0), 21);
  t.equal(list(twin, 20).error, -Errno.ERANGE);
  t.equal(twin.errno(FuseOp.REMOVEXATTR, 1, 'trusted.x'), 0);
  t.equal(twin.errno(FuseOp.REMOVEXATTR, 1, 'trusted.x'), Errno.ENODATA);
});

t.test('SETXATTR obeys its flags', async (t) => {
  const twin = sample();
  t.equal(set(twin, 'trusted.x', '1', XATTR_REPLACE), Errno.ENODATA);
  t.equal(set(twin, 'trusted.x', '1', XATTR_CREATE), 0);
  t.equal(set(twin, 'trusted.x', '2', XATTR_CREATE), Errno.EEXIST);
  t.equal(set(twin, 'trusted.x', '3', XATTR_REPLACE), 0);
  t.equal(get(twin, 'trusted.x'), '3');
});

t.test('user. attributes can be asked for, not set; others are not supported', async (t) => {
  const twin = sample();
  t.equal(get(twin, 'user.x'), -Errno.ENODATA);
  t.equal(set(twin, 'user.x', '1'), Errno.EOPNOTSUPP);
  t.equal(twin.errno(FuseOp.REMOVEXATTR, 1, 'user.x'), Errno.EOPNOTSUPP);
  t.equal(get(twin, 'system.posix_acl_access'), -Errno.EOPNOTSUPP);
  t.equal(set(twin, 'bogus', '1'), Errno.EOPNOTSUPP);
});
