/**
 * The second transport: the same tree through the optional package fuse-native, which binds libfuse 2. It is
 * for places where the daemon cannot open /dev/fuse and mount by itself.
 *
 * It carries less than the direct conversation. What the package has no way for:
 * * poll(2) always finds a file ready (325, never 335) and nobody is woken;
 * * a file or directory that was removed while open: read and write are ENODEV as they should, but fstat,
 *   readdir and a working directory there are ENOENT, since libfuse asks by path;
 * * times have milliseconds, and utimes sets the modification time to the access time;
 * * readdir offsets are libfuse's, not the name hashes;
 * * lseek(SEEK_DATA, SEEK_HOLE) and ioctl are the kernel's defaults.
 * @module
 */

import { readFile } from 'node:fs/promises';
import type { KernfsDir } from '../kernfs/dir.js';
import { sendAnnouncement } from './announcement.js';
import { nativeOps } from './native-ops.js';
import type { Mounted, MountOptions, Transport } from './transport.js';

interface NativeFuse {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
}

interface NativeFuseClass {
  new (dir: string, ops: object, options: object): NativeFuse;
  unmount(dir: string, done: (error: Error | null) => void): void;
}

/** How often to look whether somebody else unmounted: libfuse does not say. */
const LOOK_INTERVAL = 500;

const options = {
  allowOther: true,
  defaultPermissions: true,
  // The package has no option for direct I/O and for writes of more than a page, without which short values
  // come padded with zeros and a long write comes in pieces. It does not look into this string.
  fsname: 'mdevfs,subtype=mdevfs,direct_io,big_writes,use_ino',
  // A number 0 would be dropped, and libfuse would remember for a second.
  entryTimeout: '0',
  attrTimeout: '0',
  acAttrTimeout: '0',
  // An answer may take as long as a device is in use.
  timeout: false,
};

/** @throws Error of one line that says what is missing and how to get it */
async function load(): Promise<NativeFuseClass> {
  const name: string = 'fuse-native';
  try {
    return ((await import(name)) as { default: NativeFuseClass }).default;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND')
      throw new Error(
        'the package fuse-native is not installed; npm install fuse-native, or --transport fuse',
      );
    if (message.includes('libfuse.so'))
      throw new Error(
        'libfuse.so.2 is missing; install it (Debian: apt install libfuse2), or --transport fuse',
      );
    throw new Error(`fuse-native does not load: ${message.split('\n')[0]}; try --transport fuse`);
  }
}

export class FuseNativeTransport implements Transport {
  readonly name = 'fuse-native';

  /** @param umount runs umount(8); the package's own way needs fusermount */
  constructor(readonly umount: (dir: string) => Promise<void>) {}

  async mount(root: KernfsDir, dir: string, { log = console.error }: MountOptions = {}): Promise<Mounted> {
    const Fuse = await load();
    Fuse.unmount = (path, done) => {
      this.umount(path).then(() => done(null), done);
    };
    const fuse = new Fuse(dir, nativeOps(root, log), options);
    await settled((done) => fuse.mount(done));

    let finish!: () => void;
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const look = setInterval(async () => {
      if (!(await isMounted(dir))) finish();
    }, LOOK_INTERVAL);
    done.then(() => clearInterval(look));
    return {
      done,
      noPassthrough: 'libfuse 2 has none',
      // Nothing is cached, so everybody sees the change already.
      announce: sendAnnouncement,
      async unmount() {
        if (await isMounted(dir)) await settled((unmounted) => fuse.unmount(unmounted));
        finish();
      },
    };
  }
}

function settled(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

/** Reads what is mounted without touching it. */
async function isMounted(dir: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').some((line) => line.split(' ')[4] === dir.replaceAll(' ', '\\040'));
}
