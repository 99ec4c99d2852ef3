/**
 * {@link Sys} by real system calls, on a mounted tree (or on the machine's own /sys). Meant for a process of
 * its own: a call on a mount whose daemon is stuck does not return.
 * @module
 */

import { readFileSync, readlinkSync } from 'node:fs';
import type { Sys } from '../sys.js';
import { AT_FDCWD, checkedBy, type Library, ownLibrary, Root } from './bindings.js';
import { fileCalls } from './files.js';
import { treeCalls } from './tree.js';
import { vfsCalls } from './vfs.js';
import { waitCalls } from './wait.js';
import { xattrCalls } from './xattr.js';

const pathconfNames: Readonly<Record<string, number>> = {
  PC_LINK_MAX: 0,
  PC_NAME_MAX: 3,
  PC_PATH_MAX: 4,
  PC_PIPE_BUF: 5,
};

/** @param directory where the recordings' /sys is mounted */
export function libc(directory: string): Sys {
  return callsOf(new Root(directory), ownLibrary);
}

export function callsOf(root: Root, library: Library): Sys {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  return {
    ...fileCalls(root, library),
    ...treeCalls(root, library),
    ...xattrCalls(root, library),
    ...waitCalls(root, library),
    ...vfsCalls(library),
    ...fileSystemCalls(root, library),
    asUser(uid, body) {
      // The group first: without root's identity it could not be changed any more.
      const setegid = native('int setegid(uint32_t gid)');
      const seteuid = native('int seteuid(uint32_t uid)');
      checked(setegid(uid));
      checked(seteuid(uid));
      try {
        return body();
      } finally {
        checked(seteuid(0));
        checked(setegid(0));
      }
    },
  };
}

type FileSystemCalls = Pick<
  Sys,
  'fdPath' | 'fdinfo' | 'chdir' | 'getcwd' | 'statfs' | 'pathconf' | 'nameToHandleAt'
>;

function fileSystemCalls(root: Root, library: Library): FileSystemCalls {
  const native = library.native.bind(library);
  const checked = checkedBy(library);
  const chdir = native('int chdir(const char *path)');
  const getcwd = native('void *getcwd(void *buffer, size_t size)');
  const statfs = native('int statfs(const char *path, void *buffer)');
  const pathconf = native('int64_t pathconf(const char *path, int name)');
  const nameToHandleAt = native(
    'int name_to_handle_at(int dirfd, const char *path, void *handle, void *mount, int flags)',
  );
  return {
    fdPath: (fd) => root.toRecorded(readlinkSync(`/proc/self/fd/${fd}`)),
    fdinfo: (fd) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').trimEnd().split('\n'),
    chdir: (path) => void checked(chdir(root.toHost(path))),
    getcwd() {
      const buffer = Buffer.alloc(4096);
      if (!getcwd(buffer, buffer.length)) checked(-1);
      return root.toRecorded(buffer.toString('utf8', 0, buffer.indexOf(0)));
    },
    statfs(path) {
      const buffer = Buffer.alloc(120);
      checked(statfs(root.toHost(path), buffer));
      const word = (index: number): number => Number(buffer.readBigUInt64LE(8 * index));
      // struct statfs: f_fsid, the word after f_ffree, names the file system instance and is left out.
      return {
        type: word(0),
        bsize: word(1),
        blocks: word(2),
        bfree: word(3),
        bavail: word(4),
        files: word(5),
        ffree: word(6),
        namelen: word(8),
        frsize: word(9),
        flags: word(10),
      };
    },
    pathconf: (path, name) => checked(pathconf(root.toHost(path), pathconfNames[name] ?? -1)),
    nameToHandleAt(path) {
      const handle = Buffer.alloc(8 + 128);
      handle.writeUInt32LE(128, 0);
      checked(nameToHandleAt(AT_FDCWD, root.toHost(path), handle, Buffer.alloc(4), 0));
    },
  };
}
