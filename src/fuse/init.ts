/**
 * INIT: which version both speak, and what is asked of the kernel where it offers it.
 * @module
 */

import { PAGE_SIZE } from '../kernfs/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  decodeInitIn,
  encodeInitOut,
  FUSE_INIT_OUT_SIZE,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_OLDEST_MINOR_VERSION,
  FuseInit,
  FuseInit2,
} from '../uapi/fuse.js';
import { newReply, REPLY_BODY, type Reply, type Request } from './request.js';

/** What a mount asks for. */
export interface Greeting {
  /** Bits of FuseInit; CACHE_SYMLINKS only where the kernel keeps links of any size. */
  readonly flags: number;
  /** Largest WRITE, in bytes. */
  readonly maxWrite: number;
}

const ALWAYS = FuseInit.BIG_WRITES | FuseInit.PARALLEL_DIROPS | FuseInit.MAX_PAGES | FuseInit.INIT_EXT;

/** A tree of attributes. A write is one store of at most a page; one page more, so that a longer one is seen to be. */
export const attributeGreeting: Greeting = {
  flags:
    ALWAYS |
    FuseInit.ATOMIC_O_TRUNC |
    FuseInit.AUTO_INVAL_DATA |
    FuseInit.DO_READDIRPLUS |
    FuseInit.NO_OPENDIR_SUPPORT |
    FuseInit.CACHE_SYMLINKS,
  maxWrite: 2 * PAGE_SIZE,
};

/** A tree of devices. */
export const deviceGreeting: Greeting = {
  flags: ALWAYS | FuseInit.ATOMIC_O_TRUNC | FuseInit.NO_OPENDIR_SUPPORT,
  maxWrite: 16 * PAGE_SIZE,
};

/**
 * Kernels before this minor version end a link text that they keep at the link's size, which is 0 in sysfs. They
 * have to ask each time.
 */
const KEEPS_LINKS_OF_ANY_SIZE = 42;

/** Pages of user memory one request may gather: a writev(2) of up to so many pieces is one store. */
const MAX_PAGES = 256;

/** Whether the kernel passes reads and mappings through to other files. */
export function hasPassthrough(request: Request): boolean {
  return (decodeInitIn(request.message).flags2 & FuseInit2.PASSTHROUGH) !== 0;
}

/**
 * @param passthrough whether files may have others behind them
 * @throws EPROTO before 7.31 and for another major version, as mount's users see it
 */
export function greet(request: Request, wanted: Greeting, passthrough: boolean): Reply {
  const { major, minor, flags } = decodeInitIn(request.message);
  if (major !== FUSE_KERNEL_VERSION || minor < FUSE_OLDEST_MINOR_VERSION) throw new KernelError(Errno.EPROTO);
  const reply = newReply(FUSE_INIT_OUT_SIZE);
  const dropped = minor < KEEPS_LINKS_OF_ANY_SIZE ? FuseInit.CACHE_SYMLINKS : 0;
  encodeInitOut(reply, REPLY_BODY, {
    minor: Math.min(minor, FUSE_KERNEL_MINOR_VERSION),
    flags: flags & wanted.flags & ~dropped,
    flags2: passthrough && hasPassthrough(request) ? FuseInit2.PASSTHROUGH : 0,
    maxWrite: wanted.maxWrite,
    maxPages: MAX_PAGES,
    maxStackDepth: passthrough && hasPassthrough(request) ? 1 : 0,
  });
  return reply;
}
