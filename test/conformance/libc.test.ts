import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { errnoOf, nameOfErrno } from './errno-names.js';
import { libc } from './libc/libc.js';
import { recordedStat } from './stat.js';

const root = mkdtempSync(join(tmpdir(), 'libc-'));
const sys = libc(root);
t.teardown(() => rmSync(root, { recursive: true }));
writeFileSync(join(root, 'file'), 'some text\n', { mode: 0o644 });
symlinkSync('file', join(root, 'link'));

function errno(call: () => unknown): string {
  try {
    call();
    return 'success';
  } catch (error) {
    return nameOfErrno(errnoOf(error) ?? 0);
  }
}

t.test('files are read, written and sought by descriptor', async (t) => {
  const fd = sys.open('/sys/file', 2);
  t.same(Buffer.from(sys.read(fd, 4)).toString(), 'some');
  t.same(Buffer.from(sys.pread(fd, 4, 5)).toString(), 'text');
  t.equal(sys.lseek(fd, 0, 1), 4);
  t.equal(sys.lseek(fd, 0, 0), 0);
  const pieces = sys.readv(fd, [2, 3, 100]);
  t.equal(pieces.total, 10);
  t.same(Buffer.from(pieces[1]!).toString(), 'me ');
  t.equal(sys.writev(fd, [Buffer.from('more'), Buffer.from('\n')]), 5);
  t.equal(readFileSync(join(root, 'file'), 'utf8'), 'some text\nmore\n');
  t.equal(sys.fcntlGetfl(fd) & 3, 2);
  t.equal(sys.poll(fd) & 5, 5);
  sys.close(fd);
  t.equal(
    errno(() => sys.read(fd, 1)),
    'EBADF',
  );
});

t.test('a call fails with its errno', async (t) => {
  t.equal(
    errno(() => sys.open('/sys/nope', 0)),
    'ENOENT',
  );
  t.equal(
    errno(() => sys.open('/sys/file/x', 0)),
    'ENOTDIR',
  );
  t.equal(
    errno(() => sys.readlink('/sys/file')),
    'EINVAL',
  );
  t.equal(
    errno(() => sys.rmdir('/sys/file')),
    'ENOTDIR',
  );
  t.equal(
    errno(() => sys.mkdir('/sys/file', 0o755)),
    'EEXIST',
  );
});

t.test('paths are those of the recording, in and out', async (t) => {
  t.equal(sys.realpath('/sys/link'), '/sys/file');
  t.equal(sys.readlink('/sys/link'), 'file');
  const fd = sys.open('/sys/file', 0);
  t.equal(sys.fdPath?.(fd), '/sys/file');
  sys.close(fd);
  t.throws(() => sys.lstat('/dev/vfio/7'), { message: 'a mounted sysfs has no /dev' });
});

t.test('inodes are written down as the recorder did', async (t) => {
  t.match(recordedStat(sys.stat('/sys/link')), {
    type: 'file',
    mode: '0644',
    uid: process.getuid?.(),
    nlink: 1,
  });
  t.match(recordedStat(sys.lstat('/sys/link')), { type: 'link', size: 4 });
  const fd = sys.open('/sys', 0o200000);
  const names = sys.getdents64(fd, 4096).map(({ name }) => name);
  t.same(names.sort(), ['.', '..', 'file', 'link']);
  t.same(sys.getdents64(fd, 4096), []);
  sys.close(fd);
});

t.test(
  'steps of another user run with its rights',
  { skip: process.getuid?.() !== 0 && 'not root' },
  async (t) => {
    sys.chmod('/sys/file', 0o600);
    t.equal(
      errno(() => sys.asUser(1000, () => sys.access('/sys/file', 4))),
      'EACCES',
    );
    t.equal(
      errno(() => sys.access('/sys/file', 4)),
      'success',
    );
  },
);
