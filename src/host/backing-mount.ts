/**
 * The mount that backing files lie in (fuse/backing-session.ts): made with fsopen(2) and fsmount(2), and attached
 * nowhere, so that it shows in no table of mounts and goes with its descriptor.
 *
 * Opening one of its files asks this very process, so another one does it (file-opener.ts). Closing asks nobody.
 * @module
 */

import { closeSync, openSync, readFileSync } from 'node:fs';
import type { BackingRegistry } from '../fuse/backing.js';
import { FileOpener } from './file-opener.js';
import type { NativeCalls, NativeFunction } from './native.js';

// The same on every architecture: asm-generic/unistd.h, linux/mount.h.
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;

// fcntl.h, linux/stat.h
const AT_EMPTY_PATH = 0x1000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_SIZE = 256;
const STX_DEV_MINOR = 140;

// linux/fuse.h
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;
const FUSE_BACKING_MAP_SIZE = 16;

export class BackingMount implements BackingRegistry {
  /** Descriptor of /dev/fuse that the mount is served through. */
  readonly fd: number;
  /** Number of the mount's device, and of its connection. */
  readonly minor: number;
  readonly #calls: NativeCalls;
  readonly #mount: number;
  /** Descriptor of /dev/fuse of the mount that reads are passed through from. */
  readonly #user: number;
  readonly #opener: FileOpener;
  readonly #close: NativeFunction;
  readonly #ioctl: NativeFunction;

  /**
   * @param user descriptor of /dev/fuse of the mount that wants backing files
   * @param flags to open /dev/fuse with
   * @throws Error of one line that says which system call is missing, or which right
   */
  constructor(calls: NativeCalls, user: number, flags: number) {
    if (inUserNamespace()) throw new Error('a user namespace has no right to it');
    this.#calls = calls;
    this.#user = user;
    this.#close = calls.bind('int close(int fd)');
    this.#ioctl = calls.bind('int ioctl(int fd, unsigned long request, void *argument)');
    this.fd = openSync('/dev/fuse', flags);
    let mount: number | undefined;
    try {
      mount = this.#makeMount();
      this.minor = this.#minorOf(mount);
    } catch (error) {
      closeSync(this.fd);
      if (mount !== undefined) closeSync(mount);
      throw error;
    }
    this.#mount = mount;
    this.#opener = new FileOpener(calls, { dir: this.#mount });
  }

  async register(name: string): Promise<number> {
    const file = await this.#opener.open(name);
    try {
      const map = Buffer.alloc(FUSE_BACKING_MAP_SIZE);
      map.writeInt32LE(file, 0);
      const id = this.#ioctl(this.#user, FUSE_DEV_IOC_BACKING_OPEN, map);
      return this.#calls.checked('FUSE_DEV_IOC_BACKING_OPEN', id);
    } finally {
      closeSync(file);
    }
  }

  unregister(id: number): void {
    const number = Buffer.alloc(4);
    number.writeInt32LE(id);
    this.#ioctl(this.#user, FUSE_DEV_IOC_BACKING_CLOSE, number);
  }

  /** Dissolves the mount; its descriptor {@link fd} belongs to who serves it. */
  async close(): Promise<void> {
    await this.#opener.close();
    // On a thread of the pool: the end of a mount may have to wait for answers of this very thread.
    await new Promise<void>((resolve) => this.#close.async(this.#mount, () => resolve()));
  }

  /** By statx(2), which can be told not to ask whoever serves the mount: this very thread. */
  #minorOf(fd: number): number {
    const statx = this.#calls.bind(
      'int statx(int dir, const char *path, int flags, unsigned int mask, void *to)',
    );
    const to = Buffer.alloc(STATX_SIZE);
    this.#calls.checked('statx', statx(fd, '', AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, to));
    return to.readUInt32LE(STX_DEV_MINOR);
  }

  #makeMount(): number {
    const fsopen = this.#calls.bind('long syscall(long number, const char *type, unsigned int flags)');
    const fsconfig = this.#calls.bind(
      'long syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)',
    );
    const fsmount = this.#calls.bind(
      'long syscall(long number, int fd, unsigned int flags, unsigned int attributes)',
    );
    const context = this.#calls.checked('fsopen', Number(fsopen(SYS_FSOPEN, 'fuse', FSOPEN_CLOEXEC)));
    try {
      const options = { fd: String(this.fd), rootmode: '40000', user_id: '0', group_id: '0' };
      const configure = (command: number, key: string | null, value: string | null): void =>
        void this.#calls.checked('fsconfig', Number(fsconfig(SYS_FSCONFIG, context, command, key, value, 0)));
      for (const [key, value] of Object.entries(options)) configure(FSCONFIG_SET_STRING, key, value);
      configure(FSCONFIG_CMD_CREATE, null, null);
      return this.#calls.checked('fsmount', Number(fsmount(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0)));
    } finally {
      closeSync(context);
    }
  }
}

/** The kernel takes backing files from root of the first user namespace alone. That one has all users. */
function inUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
}
