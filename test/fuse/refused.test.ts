import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { type Field, Twin, u32, u64 } from './twin.js';

const zeros = (size: number): Field => Buffer.alloc(size);

t.test('what would change the tree is refused as the VFS would', async (t) => {
  const root = kernfsCreateRoot(() => 0);
  root.addDir('dir');
  const twin = new Twin(root);
  const mknod = (mode: number) => twin.errno(FuseOp.MKNOD, 1, u32(mode), u32(0), u32(0), u32(0), 'n');
  t.equal(twin.errno(FuseOp.CREATE, 1, u32(1), u32(0o644), u32(0), u32(0), 'n'), Errno.EACCES);
  t.equal(mknod(0o100644), Errno.EACCES);
  t.equal(mknod(0o010644), Errno.EPERM);
  t.equal(mknod(0o020644), Errno.EPERM);
  t.equal(twin.errno(FuseOp.MKDIR, 1, u32(0o755), u32(0), 'n'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.UNLINK, 1, 'dir'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.RMDIR, 1, 'dir'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.SYMLINK, 1, 'n', 'target'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.LINK, 1, u64(1), 'n'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.RENAME, 1, u64(1), 'dir', 'n'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.RENAME2, 1, u64(1), u32(0), u32(0), 'dir', 'n'), Errno.EPERM);
  t.equal(twin.errno(FuseOp.RENAME2, 1, u64(1), u32(2), u32(0), 'dir', 'n'), Errno.EINVAL);
  t.equal(twin.errno(FuseOp.TMPFILE, 1, zeros(16), 'n'), Errno.EOPNOTSUPP);
  t.equal(twin.errno(FuseOp.FALLOCATE, 1, zeros(32)), Errno.EOPNOTSUPP);
  t.equal(twin.errno(FuseOp.COPY_FILE_RANGE, 1, zeros(56)), Errno.EXDEV);
  t.equal(twin.errno(FuseOp.IOCTL, 1, zeros(32)), Errno.ENOTTY);
  t.same(root.names(), ['dir']);
});

t.test('an operation nobody knows is ENOSYS', async (t) => {
  const twin = new Twin(kernfsCreateRoot(() => 0));
  for (const opcode of [FuseOp.BMAP, FuseOp.GETLK, FuseOp.STATX, 99, 4096])
    t.equal(twin.errno(opcode, 1, zeros(64)), Errno.ENOSYS, `opcode ${opcode}`);
  t.same(twin.log, []);
});

t.test('a bug is EIO for the client, a stack for the log, and the session goes on', async (t) => {
  const root = kernfsCreateRoot(() => 0);
  const bug = {
    name: 'bug',
    mode: 0o644,
    show: () => {
      throw new TypeError('in show');
    },
    store: async () => {
      throw new TypeError('in store');
    },
  };
  root.add(attributeFile(root.root, bug, {}));
  const twin = new Twin(root);
  const open = twin.open('bug', 2);
  t.equal(twin.read(open, 10, 0).error, -Errno.EIO);
  const write = twin.send(FuseOp.WRITE, open[0], ...Twin.write(open[1], 'x'));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(twin.reply(write)?.error, -Errno.EIO);
  t.match(twin.log, [/^mdevfs: TypeError: in show\n +at .*refused\.test/, /^mdevfs: TypeError: in store\n/]);
  t.equal(twin.errno(FuseOp.LOOKUP, 1, 'bug'), 0);
});

t.test('a truncated request is EIO, a truncated header is dropped, and both are logged', async (t) => {
  const twin = new Twin(kernfsCreateRoot(() => 0));
  t.equal(twin.errno(FuseOp.READ, 1, u32(0)), Errno.EIO);
  t.match(twin.log, [/RangeError/]);
  twin.session.handle(Buffer.alloc(39));
  twin.session.handle(Buffer.alloc(64, 0xff));
  t.same(twin.device.replies, []);
  t.match(twin.log.slice(1), [/39 bytes/, /64 bytes/]);
  t.equal(twin.errno(FuseOp.STATFS, 1), 0);
});
