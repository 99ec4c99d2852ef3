/**
 * The tree by paths, as libfuse's high level asks for it: no node numbers, an open file is its descriptor, a
 * listing is whole. The counterpart of the session for the other transport, and like it the one place where an
 * exception becomes an errno.
 *
 * What this way cannot carry is in fuse-native.ts.
 * @module
 */

import { isDir, KernfsDir } from '../kernfs/dir.js';
import { openFile, readFile, writeFile } from '../kernfs/fault.js';
import { KernfsFile, type KernfsOpenFile, PAGE_SIZE } from '../kernfs/file.js';
import { KernfsLink } from '../kernfs/link.js';
import { type Iattr, type KernfsNode, S_IFMT, S_IFREG, type Stat } from '../kernfs/node.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, asleep, type Sleeps } from '../lib/sleep.js';
import type { Log } from './transport.js';

/** First a negative errno or a count, then what was asked for. */
type Answer = (result: number, ...values: unknown[]) => void;

/** chown(2)'s "leave as it is". */
const UNCHANGED = 0xffffffff;

// asm-generic/fcntl.h; x86's O_DIRECT.
const O_TRUNC = 0o1000;
const O_DIRECT = 0o40000;

function attributesOf(node: KernfsNode): Stat & { blksize: number; blocks: number } {
  return { ...node.getattr(), blksize: PAGE_SIZE, blocks: 0 };
}

/**
 * The operations fuse-native is given.
 * @param log takes faults of the emulation
 */
export function nativeOps(root: KernfsDir, log: Log): Record<string, (...args: never[]) => void> {
  const open = new Map<number, KernfsOpenFile>();
  let lastFd = 0;

  /** @throws ENOENT, ENOTDIR */
  const nodeAt = (path: string): KernfsNode => {
    let node: KernfsNode = root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (!isDir(node)) throw new KernelError(Errno.ENOTDIR);
      node = node.lookup(name);
    }
    return node;
  };

  const fileOf = (fd: number): KernfsOpenFile => {
    const file = open.get(fd);
    if (!file) throw new KernelError(Errno.EBADF);
    return file;
  };

  const fail = (error: unknown, answer: Answer): void => {
    if (!(error instanceof KernelError))
      log(`mdevfs: ${error instanceof Error ? error.stack : String(error)}`);
    answer(error instanceof KernelError ? -error.errno : -Errno.EIO);
  };

  /** Answers with what `body` returns: the result and values. */
  const reply = (answer: Answer, body: () => Sleeps<[number, ...unknown[]]>): void => {
    try {
      const values = body();
      if (!asleep(values)) answer(...values);
      else
        values.then(
          (late) => answer(...late),
          (error) => fail(error, answer),
        );
    } catch (error) {
      fail(error, answer);
    }
  };

  const refuse =
    (errno: number) =>
    (...args: unknown[]): void =>
      (args.at(-1) as Answer)(-errno);

  const setattr = (path: string, change: Iattr, answer: Answer): void =>
    reply(answer, () => {
      nodeAt(path).setattr(change);
      return [0];
    });

  return {
    getattr: (path: string, answer: Answer) => reply(answer, () => [0, attributesOf(nodeAt(path))]),

    readdir: (path: string, answer: Answer) =>
      reply(answer, () => {
        const dir = nodeAt(path);
        if (!(dir instanceof KernfsDir)) throw new KernelError(Errno.ENOTDIR);
        const names = dir.names().filter((name) => dir.find(name));
        const nodes = [dir, dir.parent ?? dir, ...names.map((name) => dir.lookup(name))];
        return [0, ['.', '..', ...names], nodes.map(attributesOf)];
      }),

    readlink: (path: string, answer: Answer) =>
      reply(answer, () => {
        const link = nodeAt(path);
        if (!(link instanceof KernfsLink)) throw new KernelError(Errno.EINVAL);
        return [0, link.readlink()];
      }),

    open: (path: string, flags: number, answer: Answer) =>
      reply(answer, () => {
        const file = nodeAt(path);
        if (!(file instanceof KernfsFile)) throw new KernelError(Errno.ENXIO);
        return after(openFile(file, flags), (opened): [number, number] => {
          if (flags & O_DIRECT) throw new KernelError(Errno.EINVAL);
          if (flags & O_TRUNC) file.setattr({ size: 0 });
          open.set(++lastFd, opened);
          return [0, lastFd];
        });
      }),

    release: (_path: string, fd: number, answer: Answer) =>
      reply(answer, () => {
        open.get(fd)?.release();
        open.delete(fd);
        return [0];
      }),

    // The buffer is libfuse's memory, and gone once the answer is given.
    read: (_path: string, fd: number, into: Buffer, length: number, offset: number, answer: Answer) =>
      reply(answer, () =>
        after(readFile(fileOf(fd), offset, length), (data): [number] => {
          into.set(data);
          return [data.length];
        }),
      ),

    write: (_path: string, fd: number, from: Buffer, length: number, offset: number, answer: Answer) =>
      reply(answer, () => {
        const data = Buffer.from(from.subarray(0, Math.min(length, PAGE_SIZE)));
        return after(writeFile(fileOf(fd), data, offset), (count): [number] => [count]);
      }),

    truncate: (path: string, size: number, answer: Answer) => setattr(path, { size }, answer),
    ftruncate: (_path: string, fd: number, size: number, answer: Answer) =>
      reply(answer, () => {
        fileOf(fd).file.setattr({ size });
        return [0];
      }),
    chmod: (path: string, mode: number, answer: Answer) => setattr(path, { mode }, answer),
    chown: (path: string, uid: number, gid: number, answer: Answer) =>
      setattr(path, { ...(uid !== UNCHANGED && { uid }), ...(gid !== UNCHANGED && { gid }) }, answer),
    utimens: (path: string, atime: number, mtime: number, answer: Answer) =>
      setattr(path, { atime, mtime }, answer),

    getxattr: (path: string, name: string, _position: number, answer: Answer) =>
      reply(answer, () => [0, Buffer.from(nodeAt(path).xattrs.get(name))]),
    listxattr: (path: string, answer: Answer) => reply(answer, () => [0, nodeAt(path).xattrs.list()]),
    setxattr: (path: string, name: string, value: Buffer, _at: number, flags: number, answer: Answer) =>
      reply(answer, () => {
        nodeAt(path).ownXattrs().set(name, value, flags);
        return [0];
      }),
    removexattr: (path: string, name: string, answer: Answer) =>
      reply(answer, () => {
        nodeAt(path).xattrs.remove(name);
        return [0];
      }),

    statfs: (_path: string, answer: Answer) =>
      answer(0, { bsize: PAGE_SIZE, frsize: PAGE_SIZE, namemax: 255 }),
    fsync: (_path: string, _datasync: number, _fd: number, answer: Answer) => answer(0),
    fsyncdir: refuse(Errno.EINVAL),

    create: refuse(Errno.EACCES),
    mknod: (_path: string, mode: number, _dev: number, answer: Answer) =>
      answer((mode & S_IFMT) === S_IFREG ? -Errno.EACCES : -Errno.EPERM),
    mkdir: refuse(Errno.EPERM),
    rmdir: refuse(Errno.EPERM),
    unlink: refuse(Errno.EPERM),
    rename: refuse(Errno.EPERM),
    link: refuse(Errno.EPERM),
    symlink: refuse(Errno.EPERM),
  };
}
