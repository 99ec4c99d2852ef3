import { constants } from 'node:fs';
import t from 'tap';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno } from '../../src/lib/errno.js';
import { type Attribute, attributeFile } from '../../src/sysfs/attribute.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { attr, type Field, Twin, u32, u64 } from './twin.js';

const { O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_DIRECT } = constants;

function sample(attribute: Partial<Attribute<object>>) {
  let now = 1000;
  const root = kernfsCreateRoot(() => now);
  const file = root.add(attributeFile(root.root, { name: 'file', mode: 0o644, ...attribute }, {}));
  return {
    root,
    file,
    twin: new Twin(root),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const openErrno = (twin: Twin, flags: number): number =>
  twin.errno(FuseOp.OPEN, twin.walk('file'), u32(flags), u32(0));

t.test('OPEN asks for direct I/O and gives every open a handle of its own', async (t) => {
  const { twin } = sample({ show: () => 'x\n' });
  const nodeid = twin.walk('file');
  const { body } = twin.ask(FuseOp.OPEN, nodeid, u32(O_RDONLY), u32(0));
  t.equal(body.length, 16);
  t.equal(body.readUInt32LE(8), 1 | 64, 'FOPEN_DIRECT_IO, FOPEN_PARALLEL_DIRECT_WRITES');
  t.not(twin.open('file', O_RDONLY)[1], Number(body.readBigUInt64LE(0)));
  t.equal(twin.session.handles.size, 2);
  twin.ask(FuseOp.RELEASE, nodeid, u64(1), u32(0), u32(0), u64(0));
  t.equal(twin.session.handles.size, 1);
  t.equal(twin.read([nodeid, 1], 10, 0).error, -Errno.EBADF);
});

t.test('OPEN is EACCES where the mode or the owner has no such direction', async (t) => {
  const readOnly = sample({ mode: 0o444, show: () => '' }).twin;
  t.equal(openErrno(readOnly, O_RDONLY), 0);
  t.equal(openErrno(readOnly, O_WRONLY), Errno.EACCES);
  t.equal(openErrno(readOnly, O_RDWR), Errno.EACCES);
  const writeOnly = sample({ mode: 0o200, store: () => {} }).twin;
  t.equal(openErrno(writeOnly, O_RDONLY), Errno.EACCES);
  t.equal(openErrno(writeOnly, O_RDWR), Errno.EACCES);
  t.equal(openErrno(writeOnly, O_WRONLY), 0);
  t.equal(openErrno(sample({ mode: 0o644, show: () => '' }).twin, O_RDWR), Errno.EACCES);
});

t.test('OPEN with O_DIRECT is EINVAL, after the permission', async (t) => {
  const { twin } = sample({ mode: 0o444, show: () => '' });
  t.equal(openErrno(twin, O_RDONLY | O_DIRECT), Errno.EINVAL);
  t.equal(openErrno(twin, O_WRONLY | O_DIRECT), Errno.EACCES);
});

t.test('OPEN with O_TRUNC changes the modification time, unless it fails', async (t) => {
  const { twin, pass, file } = sample({ mode: 0o200, store: () => {} });
  const nodeid = twin.walk('file');
  pass(500);
  t.equal(openErrno(twin, O_RDONLY | O_TRUNC), Errno.EACCES);
  t.equal(file.getattr().mtime, 1000);
  t.equal(openErrno(twin, O_WRONLY | O_TRUNC), 0);
  const { body } = twin.ask(FuseOp.GETATTR, nodeid, u32(0), u32(0), u64(0));
  t.match(attr(body, 16), { atime: [1, 0], mtime: [1, 500_000_000], size: 4096 });
});

t.test('OPEN of a directory is ENXIO, of a removed file ENODEV', async (t) => {
  const { twin, root } = sample({ show: () => '' });
  t.equal(twin.errno(FuseOp.OPEN, 1, u32(0), u32(0)), Errno.ENXIO);
  const nodeid = twin.walk('file');
  root.removeChild('file');
  t.equal(twin.errno(FuseOp.OPEN, nodeid, u32(0), u32(0)), Errno.ENODEV);
});

t.test('READ shows anew at offset 0 and where reading jumps, and goes on where it continues', async (t) => {
  let shown = 0;
  const { twin } = sample({ show: () => `value ${++shown}\n` });
  const open = twin.open('file', O_RDONLY);
  const read = (size: number, offset: number) => twin.read(open, size, offset).body.toString();
  t.equal(read(3, 0), 'val');
  t.equal(read(100, 3), 'ue 1\n');
  t.equal(read(100, 8), '');
  t.equal(read(100, 0), 'value 2\n');
  t.equal(read(100, 6), '3\n');
  t.equal(read(100, 5000), '');
});

t.test('WRITE is one store of at most a page, and the count says how much was taken', async (t) => {
  const stores: string[] = [];
  const { twin } = sample({ mode: 0o200, store: (_, text) => void stores.push(text) });
  const [nodeid, fh] = twin.open('file', O_WRONLY);
  const write = (data: string, offset?: number) => {
    const { error, body } = twin.ask(FuseOp.WRITE, nodeid, ...Twin.write(fh, data, offset));
    return error || [body.length, body.readUInt32LE(0)];
  };
  t.same(write('1\n'), [8, 2]);
  t.same(write('x', 2 ** 40), [8, 1]);
  t.same(write('y'.repeat(8192)), [8, 4096]);
  t.same(write(''), [8, 0]);
  t.same(stores, ['1\n', 'x', 'y'.repeat(4096)]);
});

t.test('READ and WRITE of a removed file are ENODEV, RELEASE is not', async (t) => {
  const { twin, root } = sample({ show: () => 'x', store: () => {} });
  const open = twin.open('file', O_RDWR);
  const [nodeid, fh] = open;
  root.removeChild('file');
  t.equal(twin.read(open, 10, 0).error, -Errno.ENODEV);
  t.equal(twin.errno(FuseOp.WRITE, nodeid, ...Twin.write(fh, 'x')), Errno.ENODEV);
  t.equal(twin.errno(FuseOp.WRITE, nodeid, ...Twin.write(fh, '')), Errno.ENODEV);
  t.equal(twin.errno(FuseOp.LSEEK, nodeid, u64(fh), u64(0), u32(3), u32(0)), Errno.ENODEV);
  t.equal(twin.errno(FuseOp.RELEASE, nodeid, u64(fh), u32(0), u32(0), u64(0)), 0);
});

t.test('LSEEK finds data up to the size and a hole behind it', async (t) => {
  const { twin } = sample({ show: () => 'x' });
  const [nodeid, fh] = twin.open('file', O_RDONLY);
  const lseek = (offset: number, whence: number) => {
    const fields: Field[] = [u64(fh), u64(offset), u32(whence), u32(0)];
    const { error, body } = twin.ask(FuseOp.LSEEK, nodeid, ...fields);
    return error || Number(body.readBigUInt64LE(0));
  };
  t.equal(lseek(0, 3), 0);
  t.equal(lseek(17, 3), 17);
  t.equal(lseek(0, 4), 4096);
  t.equal(lseek(4096, 3), -Errno.ENXIO);
  t.equal(lseek(4096, 4), -Errno.ENXIO);
  t.equal(lseek(-1, 3), -Errno.ENXIO);
  t.equal(lseek(0, 2), -Errno.EINVAL);
});

t.test('FSYNC succeeds, FLUSH is not there', async (t) => {
  const { twin } = sample({ show: () => 'x' });
  const [nodeid, fh] = twin.open('file', O_RDONLY);
  t.equal(twin.errno(FuseOp.FSYNC, nodeid, u64(fh), u32(0), u32(0)), 0);
  t.equal(twin.errno(FuseOp.FLUSH, nodeid, u64(fh), u32(0), u32(0), u64(0)), Errno.ENOSYS);
});
