/**
 * What every transport must carry, whatever it is made of.
 * @module
 */

import type { Test } from 'tap';
import { errnoOf, type MountedSample, until } from './mounted.js';

export async function testBasics(t: Test, mounted: MountedSample): Promise<void> {
  const { sys } = mounted;

  t.test('the tree has its types, modes, sizes and links', async (t) => {
    const { stdout } = mounted.sh(
      'stat -c "%A %h %s %b %n" . attrs devices attrs/both attrs/binary bus/dev0',
    );
    t.same(stdout.trimEnd().split('\n'), [
      'drwxr-xr-x 5 0 0 .',
      'drwxr-xr-x 2 0 0 attrs',
      'drwxr-xr-x 4 0 0 devices',
      '-rw-r--r-- 1 4096 0 attrs/both',
      '-r--r--r-- 1 16 0 attrs/binary',
      'lrwxrwxrwx 1 0 0 bus/dev0',
    ]);
    t.equal(mounted.sh('readlink bus/dev0').stdout, '../devices/dev0\n');
    t.equal(mounted.sh('cat bus/dev0/name').stdout, 'dev0\n');
    t.equal(
      errnoOf(() => sys.stat('/sys/nope')),
      'ENOENT',
    );
    t.equal(
      errnoOf(() => sys.stat('/sys/attrs/both/x')),
      'ENOTDIR',
    );
  });

  t.test('find sees every entry once', async (t) => {
    const found = mounted.sh('find devices bus | sort').stdout.trimEnd().split('\n');
    const device = (name: string) => [
      `devices/${name}`,
      `devices/${name}/name`,
      `devices/${name}/power`,
      `devices/${name}/power/control`,
      `devices/${name}/remove`,
    ];
    t.same(found, [
      'bus',
      'bus/dev0',
      'bus/dev1',
      'devices',
      'devices/create',
      ...device('dev0'),
      ...device('dev1'),
    ]);
  });

  t.test('a value is produced at offset 0 and where reading jumps', async (t) => {
    const fd = sys.open('/sys/attrs/count', 0);
    const read = (length: number) => Buffer.from(sys.read(fd, length)).toString();
    const pread = (offset: number) => Buffer.from(sys.pread(fd, 10, offset)).toString();
    t.equal(read(1), '1');
    t.equal(read(10), '\n');
    t.equal(read(10), '');
    t.equal(pread(0), '2\n');
    t.equal(pread(1), '\n');
    t.equal(sys.lseek(fd, 0, 2), 4096);
    t.equal(read(10), '');
    sys.close(fd);
    t.equal(mounted.read('attrs/long').length, 4095);
    t.equal(mounted.read('attrs/empty'), '');
    t.equal(mounted.read('attrs/binary'), '0123456789abcdef');
  });

  t.test('one write is one store of at most a page, the offset does not matter', async (t) => {
    for (const size of [1, 4095, 4096, 4097, 5000, 8192, 1 << 20])
      t.equal(mounted.write('attrs/store', 'z'.repeat(size)), Math.min(size, 4096), `${size} bytes`);
    const fd = sys.open('/sys/attrs/store', 1);
    t.equal(sys.pwrite(fd, Buffer.from('far'), 2 ** 40), 3);
    t.equal(sys.writev(fd, [Buffer.from('in'), Buffer.from(''), Buffer.from('pieces')]), 8);
    t.equal(sys.write(fd, Buffer.from('')), 0);
    sys.close(fd);
    mounted.sh('echo appended >> attrs/store; printf "a\\0b" > attrs/store');
    t.same(mounted.read('attrs/log').trimEnd().split('\n'), [
      '"z"',
      '4095 bytes',
      ...Array<string>(5).fill('4096 bytes'),
      '"far"',
      '"inpieces"',
      '"appended\\n"',
      '"a\\u0000b"',
    ]);
    mounted.write('attrs/clear', '1');
  });

  t.test('the errno of a store is the errno of write(2)', async (t) => {
    t.equal(mounted.write('attrs/errno', '22'), 'EINVAL');
    t.equal(mounted.write('attrs/errno', '87'), 'EUSERS');
    t.equal(mounted.write('attrs/errno', '28'), 'ENOSPC');
    t.match(mounted.sh('echo 19 > attrs/errno'), { status: 1, stderr: /write error: No such device/ });
  });

  t.test('root too cannot open a file in a direction it does not have', async (t) => {
    const open = (name: string, flags: number) =>
      errnoOf(() => sys.close(sys.open(`/sys/attrs/${name}`, flags)));
    const [O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_CREAT, O_EXCL, O_DIRECT] = [0, 1, 2, 512, 64, 128, 16384];
    t.equal(open('count', O_RDONLY), 'ok');
    t.equal(open('count', O_WRONLY), 'EACCES');
    t.equal(open('count', O_RDWR), 'EACCES');
    t.equal(open('store', O_RDONLY), 'EACCES');
    t.equal(open('store', O_RDWR), 'EACCES');
    t.equal(open('store', O_WRONLY | O_TRUNC), 'ok');
    t.equal(open('store', O_WRONLY | O_TRUNC | O_CREAT), 'ok');
    t.equal(open('store', O_WRONLY | O_CREAT | O_EXCL), 'EEXIST');
    t.equal(open('store', O_RDONLY | O_TRUNC), 'EACCES');
    t.equal(open('both', O_RDWR), 'ok');
    t.equal(open('both', O_RDWR | O_DIRECT), 'EINVAL');
  });

  t.test('devices come and go, and nothing stale is seen', async (t) => {
    t.equal(mounted.write('devices/create', 'new\n'), 4);
    t.equal(mounted.write('devices/create', 'new'), 'EEXIST');
    t.equal(mounted.sh('cat bus/new/name && ls bus').stdout, 'new\ndev0\ndev1\nnew\n');
    t.equal(sys.stat('/sys/devices').nlink, 5);
    t.equal(mounted.write('devices/new/remove', '1'), 1);
    t.equal(
      errnoOf(() => sys.stat('/sys/devices/new/name')),
      'ENOENT',
    );
    t.equal(
      errnoOf(() => sys.lstat('/sys/bus/new')),
      'ENOENT',
    );
    t.equal(sys.stat('/sys/devices').nlink, 4);
  });

  t.test('what is open on a removed file is ENODEV, also after it is made again', async (t) => {
    mounted.write('devices/create', 'gone');
    const name = sys.open('/sys/devices/gone/name', 0);
    const remove = sys.open('/sys/devices/gone/remove', 1);
    t.equal(mounted.write('devices/gone/remove', '1'), 1);
    for (const round of ['gone', 'made again']) {
      t.equal(
        errnoOf(() => sys.read(name, 10)),
        'ENODEV',
        `read, ${round}`,
      );
      t.equal(
        errnoOf(() => sys.pread(name, 10, 0)),
        'ENODEV',
        `pread, ${round}`,
      );
      t.equal(
        errnoOf(() => sys.write(remove, Buffer.from('1'))),
        'ENODEV',
        `write, ${round}`,
      );
      mounted.write('devices/create', 'gone');
    }
    sys.close(name);
    sys.close(remove);
    t.equal(mounted.read('devices/gone/name'), 'gone\n');
    mounted.write('devices/gone/remove', '1');
  });

  t.test('chmod and chown last, and let another user write', async (t) => {
    const write = () => errnoOf(() => sys.asUser(1000, () => sys.close(sys.open('/sys/attrs/store', 1))));
    t.equal(write(), 'EACCES');
    sys.chmod('/sys/attrs/store', 0o222);
    t.equal(write(), 'ok');
    sys.chmod('/sys/attrs/store', 0o200);
    t.equal(write(), 'EACCES');
    sys.chown('/sys/attrs/store', 1000, 1001);
    t.match(sys.stat('/sys/attrs/store'), { mode: 0o100200, uid: 1000, gid: 1001, size: 4096 });
    t.equal(write(), 'ok');
    sys.chown('/sys/attrs/store', 0, 0);
  });

  t.test('the tree refuses to be changed by hand', async (t) => {
    const at = '/sys/attrs';
    t.equal(
      errnoOf(() => sys.mkdir(`${at}/n`, 0o755)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.open(`${at}/n`, 0o101, 0o644)),
      'EACCES',
    );
    t.equal(
      errnoOf(() => sys.mknod(`${at}/n`, 0o100644, 0, 0)),
      'EACCES',
    );
    t.equal(
      errnoOf(() => sys.mknod(`${at}/n`, 0o010644, 0, 0)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.mknod(`${at}/n`, 0o020644, 1, 3)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.symlink('x', `${at}/n`)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.link(`${at}/both`, `${at}/n`)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.rename(`${at}/both`, `${at}/n`)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.rmdir('/sys/devices/dev0')),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.rmdir(`${at}/both`)),
      'ENOTDIR',
    );
    t.equal(
      errnoOf(() => sys.unlink(`${at}/both`)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => sys.unlink(at)),
      'EISDIR',
    );
    t.equal(
      errnoOf(() => sys.open(at, 0o20200002, 0o600)),
      'EOPNOTSUPP',
      'O_TMPFILE',
    );
  });

  t.test('truncate succeeds and does nothing, up to a size no file has', async (t) => {
    sys.truncate('/sys/attrs/both', 10);
    t.equal(sys.stat('/sys/attrs/both').size, 4096);
    t.equal(
      errnoOf(() => sys.truncate('/sys/attrs/both', 2 ** 40)),
      'EFBIG',
    );
    t.equal(mounted.read('attrs/both'), 'both\n');
  });

  t.test('extended attributes are kept in trusted. and security., refused elsewhere', async (t) => {
    for (const path of ['/sys/attrs/both', '/sys/attrs', '/sys/bus/dev0']) {
      for (const name of ['trusted.x', 'security.x']) {
        t.equal(
          errnoOf(() => sys.getxattr(path, name, false)),
          'ENODATA',
        );
        sys.setxattr(path, name, Buffer.from('v'), false);
        t.equal(Buffer.from(sys.getxattr(path, name, false)).toString(), 'v');
      }
      t.same(sys.listxattr(path, false), ['trusted.x', 'security.x']);
    }
    sys.removexattr('/sys/attrs', 'trusted.x');
    t.same(sys.listxattr('/sys/attrs'), ['security.x']);
    t.equal(
      errnoOf(() => sys.getxattr('/sys/attrs', 'user.x')),
      'ENODATA',
    );
    t.equal(
      errnoOf(() => sys.setxattr('/sys/attrs', 'user.x', Buffer.from('v'))),
      'EOPNOTSUPP',
    );
    t.equal(
      errnoOf(() => sys.getxattr('/sys/attrs', 'system.posix_acl_access')),
      'EOPNOTSUPP',
    );
  });

  t.test('a bug is EIO, a stack in the log, and nothing worse', async (t) => {
    t.match(mounted.sh('cat attrs/bug'), { status: 1, stderr: /Input\/output error/ });
    t.equal(mounted.write('attrs/bug', 'x'), 'EIO');
    await until('the log has both', () =>
      /TypeError: a bug in show\n +at [\s\S]*TypeError: a bug in store\n +at /.test(mounted.output),
    );
    t.equal(mounted.read('attrs/both'), 'both\n');
  });

  t.test('statfs is that of an empty file system with long names', async (t) => {
    t.match(sys.statfs!('/sys'), { bsize: 4096, frsize: 4096, blocks: 0, bfree: 0, files: 0, namelen: 255 });
  });
}
