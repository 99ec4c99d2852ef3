/**
 * Mounting by way of mount(8) and umount(8), and the transport that speaks FUSE directly. Everything here is
 * asynchronous: while mount or umount run, the kernel may already ask the tree something, and only this
 * process can answer.
 * @module
 */

import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { basename } from 'node:path';
import createDebug from 'debug';
import { BackingSession } from '../fuse/backing-session.js';
import { bestLoop, type FuseDevice, type Loop, openDevice } from '../fuse/device.js';
import { Session } from '../fuse/session.js';
import type { Mounted, MountOptions, Transport } from '../fuse/transport.js';
import type { View } from '../fuse/view.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { connections } from './aborter.js';
import { BackingMount } from './backing-mount.js';
import { mountOn, openFolderOf, openMountPlace } from './mount-place.js';
import { type MountEntry, mountAgain, mountAt } from './mountinfo.js';
import { NativeCalls } from './native.js';
import { type NotifierThread, startNotifier } from './notifier.js';
import { closePlace, pathOfFd } from './path-walk.js';

const debug = createDebug('mdevfs:host');

/** What /proc/self/mountinfo calls the source and the type of our mounts. */
export const MOUNT_SOURCE = 'mdevfs';

const MAX_READ = 128 * 1024;

/**
 * What mount(8) is told.
 * @param fd number under which it gets the descriptor of /dev/fuse
 */
export const mountOptions = (fd: number): string =>
  [
    `fd=${fd}`,
    'rootmode=40000',
    'user_id=0',
    'group_id=0',
    'default_permissions',
    'allow_other',
    `max_read=${MAX_READ}`,
    `subtype=${MOUNT_SOURCE}`,
  ].join();

/**
 * Runs a command to its end.
 * @param fds passed on as descriptors 3 and following
 * @throws with what the command wrote to standard error
 */
function run(command: string, args: string[], fds: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    debug(`${command} ${args.join(' ')}`);
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...fds],
    });
    let stderr = '';
    child.stderr!.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT' ? new Error(`${command}(8) is not installed; install util-linux`) : error,
      );
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else if (/unrecognized option: c$/m.test(stderr))
        reject(new Error(`${command}(8) is that of BusyBox; install util-linux`));
      else reject(new Error(stderr.trim().split('\n')[0] || `${command} failed with exit code ${code}`));
    });
  });
}

/**
 * Mounts what is served through a descriptor of /dev/fuse, on a directory that was opened and checked before (mount-place.ts).
 * @throws Error with the reason why not there, or of mount(8)
 */
export async function mountFuse(fd: number, dir: string): Promise<MountEntry> {
  const place = openMountPlace(dir);
  try {
    // The dot has the link of /proc followed, also by a mount(8) that follows none at the end of a path.
    const target = `${pathOfFd(4)}/.`;
    const options = ['-o', mountOptions(3)];
    const command = ['-i', '-c', '-t', 'fuse', ...options, MOUNT_SOURCE, target];
    await run('mount', command, [fd, place.node!.fd]).catch(named(target, dir));
    const mount = mountOn(place);
    if (mount?.dir === place.path) return mount;
    if (mount) await umountAnyway(mount);
    throw new Error(`${dir}: was replaced while it was mounted at; try again`);
  } finally {
    closePlace(place);
  }
}

/**
 * Unmounts one mount, as long as it is at its place, and through no link.
 * @param flags of umount(8)
 */
async function unmount(mount: MountEntry, ...flags: string[]): Promise<void> {
  // For others umount(8) is setuid, follows no link by itself, and wants to find the path in the table of mounts.
  if (process.geteuid?.() !== 0) return run('umount', [...flags, mount.dir], []);
  const folder = openFolderOf(mount);
  try {
    const target = pathOfFd(3, basename(mount.dir));
    await run('umount', ['-c', ...flags, target], [folder]).catch(named(target, mount.dir));
  } finally {
    closeSync(folder);
  }
}

/** Says of a reason what is meant by a path that only the child knew. */
const named =
  (path: string, dir: string) =>
  (error: Error): never => {
    throw new Error(error.message.replaceAll(path, dir));
  };

/** Unmounts as long as nobody uses the mount. */
export function umount(mount: MountEntry): Promise<void> {
  return unmount(mount);
}

/** Takes the mount out of the tree of files at once and ends its conversation with the daemon. */
export function umountLazy(mount: MountEntry): Promise<void> {
  return unmount(mount, '-f', '-l');
}

/** Unmounts politely, or else lazily, what is still mounted. */
export async function umountAnyway(mount: MountEntry): Promise<void> {
  const now = mountAgain(mount);
  if (now) await umount(now).catch(() => umountLazy(now));
}

/** The same for what is mounted at a directory. */
export async function umountAt(dir: string): Promise<void> {
  const mount = mountAt(dir);
  if (mount) await umountAnyway(mount);
}

/** What a mount needs that does not depend on it. */
interface Parts {
  native: Promise<NativeCalls | string>;
  notifier: Promise<NotifierThread>;
}

/** FUSE spoken directly over /dev/fuse. Needs the right to mount. */
export class FuseTransport implements Transport {
  readonly name = 'fuse';
  readonly #loop: Loop;
  #parts: Parts | undefined;

  /** @param loop how to wait for requests; the best there is when not given */
  constructor(loop?: Loop) {
    this.#loop = loop ?? bestLoop();
  }

  /**
   * Begins to make what needs no mount, on other threads; for who has something else to do before it mounts. Without
   * it, mounting begins with that.
   */
  prepare(): void {
    this.#parts ??= { native: nativeCalls(), notifier: startNotifier() };
  }

  /**
   * @throws Error with the reason of open(2) or mount(8)
   */
  async mount(root: KernfsDir, dir: string, options: MountOptions = {}): Promise<Mounted> {
    const { O_RDWR, O_NONBLOCK } = constants;
    const openFlags = this.#loop === 'pipe' ? O_RDWR | O_NONBLOCK : O_RDWR;
    const fd = openSync('/dev/fuse', openFlags);
    let mount: MountEntry | undefined;
    const mounting = async () => {
      mount = await mountFuse(fd, dir);
      return { view: options.view, minor: mount.minor };
    };
    const unmounting = async () => {
      if (mount) await umountAnyway(mount);
    };
    return this.#serve(fd, root, options, mounting, unmounting);
  }

  /**
   * Serves a mount that somebody else makes, by the descriptor of /dev/fuse that it is made with.
   * @param mounting settles when it is made, with what is to be shown of the tree. Everything that can be made ready
   * before is ready by then. If this process is killed and cannot end, it is for them to free its clients (aborter.ts).
   * @throws Error with the reason why it cannot be served
   */
  serveMounted(
    fd: number,
    root: KernfsDir,
    options: MountOptions,
    mounting: () => Promise<View>,
  ): Promise<Mounted> {
    const mounted = async () => ({ view: await mounting(), minor: undefined });
    return this.#serve(fd, root, options, mounted, async () => {});
  }

  async #serve(
    fd: number,
    root: KernfsDir,
    options: MountOptions,
    mounting: () => Promise<{ view: View | undefined; minor: number | undefined }>,
    unmounting: () => Promise<void>,
  ): Promise<Mounted> {
    const { O_RDWR, O_NONBLOCK } = constants;
    const openFlags = this.#loop === 'pipe' ? O_RDWR | O_NONBLOCK : O_RDWR;
    this.prepare();
    const parts = this.#parts!;
    this.#parts = undefined;
    const native = await parts.native;
    const backing = backingMount(fd, openFlags, native, options);
    const notifier = await parts.notifier;
    notifier.serve({ tree: fd, backings: backing.mount?.fd });
    let view: View | undefined;
    let minor: number | undefined;
    try {
      ({ view, minor } = await mounting());
    } catch (error) {
      await notifier.close();
      await backing.mount?.close();
      if (backing.mount) closeSync(backing.mount.fd);
      closeSync(fd);
      throw error;
    }
    const closed = once(() => notifier.close());
    const device = openDevice(fd, this.#loop, closed, typeof native === 'string' ? undefined : native.direct);
    const session = new Session(root, device, notifier, options.log, backing.mount, view);
    if (options.counts) session.counts.addFile(options.counts);
    if (backing.mount) serveBackings(session, openDevice(backing.mount.fd, this.#loop, closed));
    const minors = minor === undefined ? [] : [minor, ...(backing.mount ? [backing.mount.minor] : [])];
    const done = session
      .serve()
      .finally(() => backing.mount?.close())
      .finally(() => minors.map((each) => connections.remove(each)));
    await session.greeted;
    await Promise.all(minors.map((each) => connections.add(each, options.log)));
    return {
      done,
      announce: (announcement) => session.announce(announcement),
      before: (first) => {
        session.before = first;
      },
      noPassthrough:
        backing.reason ?? (session.backings ? undefined : 'the kernel has no FUSE passthrough (Linux 6.9)'),
      async unmount() {
        try {
          await unmounting();
        } finally {
          device.close();
        }
      },
    };
  }
}

/** Or why there are none. */
async function nativeCalls(): Promise<NativeCalls | string> {
  try {
    return await NativeCalls.load();
  } catch (error) {
    return (error as Error).message;
  }
}

/** The mount for backing files, or why there is none. */
function backingMount(
  fd: number,
  openFlags: number,
  calls: NativeCalls | string,
  { passthrough = true }: MountOptions,
): { mount?: BackingMount; reason?: string } {
  if (!passthrough) return { reason: 'switched off' };
  if (typeof calls === 'string') return { reason: calls };
  try {
    return { mount: new BackingMount(calls, fd, openFlags) };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

function serveBackings(session: Session, device: FuseDevice): void {
  new BackingSession(session.backings!, device).serve().catch((error: Error) => {
    session.log(`mdevfs: backing files: ${error.message}`);
  });
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
