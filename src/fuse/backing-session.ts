/**
 * The second FUSE mount, whose files stand behind passed-through attributes (backing.ts). Nobody but the kernel sees
 * it: it is attached nowhere. Its files have the length of their text, and their pages stay in memory, so that a warm
 * read asks nobody.
 *
 * No thread of this program may ever wait for an answer of this program: if it is killed then, the thread waits for
 * ever, and with it the end of the process, which would end the connection. So:
 *
 * * Another process opens the files (host/file-opener.ts).
 * * Closing asks nobody, since files are open for a moment in this process too, when they are made known to the kernel.
 *   The kernel no longer asks when FLUSH was ENOSYS once, and the other process has closed a file before this one gets any.
 *   OPEN is ENOSYS in the same way: the kernel opens the file once more for each open of the attribute.
 * * Names are never taken back, which takes the lock of the directory, and who opens a file holds that while
 *   he waits for an answer. The kernel asks for a name each time. Names are used again, so it keeps few of them.
 * * INVAL_INODE, of a file whose attribute is gone, waits for the lock of the page, and whoever reads a page that is not in
 *   memory holds that. The page is brought in before anybody else can read the file; it is missing only when memory
 *   was short.
 *
 * A file whose attribute is gone has the size of a page and no page: a read at any position in it is asked for, and
 * is ENODEV.
 * @module
 */

import { PAGE_SIZE } from '../kernfs/file.js';
import { S_IFDIR, S_IFREG } from '../kernfs/node.js';
import { Errno } from '../lib/errno.js';
import {
  decodeInitIn,
  decodeName,
  decodeReadIn,
  encodeAttrOut,
  encodeEntryOut,
  encodeInitOut,
  encodeOutHeader,
  FUSE_ATTR_OUT_SIZE,
  FUSE_ENTRY_OUT_SIZE,
  FUSE_INIT_OUT_SIZE,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_ROOT_ID,
  type FuseAttr,
  FuseOp,
} from '../uapi/fuse.js';
import type { BackingFile, BackingFiles } from './backing.js';
import { cachedForAnHour, type Timeouts } from './cache.js';
import type { FuseDevice } from './device.js';
import { newReply, parseRequest, REPLY_BODY, type Reply, type Request, replyWith } from './request.js';

function attributes(ino: number, mode: number, size: number): FuseAttr {
  return { ino, mode, size, nlink: 1, uid: 0, gid: 0, rdev: 0, atime: 0, mtime: 0, ctime: 0 };
}

/** A name is asked for each time, since it leads to another file the next time. */
const namedOnce: Timeouts = { entry: 0, attr: cachedForAnHour.attr };

const rootAttributes = attributes(FUSE_ROOT_ID, S_IFDIR | 0o500, 0);

function attributesOf({ nodeid, text, gone }: BackingFile): FuseAttr {
  return attributes(nodeid, S_IFREG | 0o400, gone ? PAGE_SIZE : text.length);
}

export class BackingSession {
  constructor(
    readonly files: BackingFiles,
    readonly device: FuseDevice,
  ) {}

  /** Serves until the mount is gone. */
  serve(): Promise<void> {
    return this.device.receive((message) => {
      const request = parseRequest(message);
      if (request) this.#answer(request);
    });
  }

  #answer(request: Request): void {
    const { opcode, unique } = request;
    if (opcode === FuseOp.FORGET || opcode === FuseOp.BATCH_FORGET || opcode === FuseOp.INTERRUPT) return;
    const answer = this.#perform(request);
    const reply = typeof answer === 'number' ? newReply(0) : answer;
    encodeOutHeader(reply, reply.length, typeof answer === 'number' ? -answer : 0, unique);
    this.device.send(reply);
  }

  /** @returns a reply or an errno */
  #perform({ opcode, nodeid, message }: Request): Reply | number {
    switch (opcode) {
      case FuseOp.INIT:
        return init(message);
      case FuseOp.LOOKUP: {
        const file = this.files.find(decodeName(message));
        if (!file) return Errno.ENOENT;
        const reply = newReply(FUSE_ENTRY_OUT_SIZE);
        encodeEntryOut(reply, REPLY_BODY, file.nodeid, attributesOf(file), namedOnce);
        return reply;
      }
      case FuseOp.GETATTR: {
        const file = this.files.get(nodeid);
        if (!file && nodeid !== FUSE_ROOT_ID) return Errno.ENODEV;
        const reply = newReply(FUSE_ATTR_OUT_SIZE);
        encodeAttrOut(reply, REPLY_BODY, file ? attributesOf(file) : rootAttributes, cachedForAnHour.attr);
        return reply;
      }
      case FuseOp.READ: {
        const file = this.files.get(nodeid);
        if (!file || file.gone) return Errno.ENODEV;
        const { offset, size } = decodeReadIn(message);
        return replyWith(file.text.subarray(offset, offset + size));
      }
      default:
        // OPEN and FLUSH too; the kernel then does without them from now on.
        return Errno.ENOSYS;
    }
  }
}

function init(message: Buffer): Reply {
  const reply = newReply(FUSE_INIT_OUT_SIZE);
  encodeInitOut(reply, REPLY_BODY, {
    minor: Math.min(decodeInitIn(message).minor, FUSE_KERNEL_MINOR_VERSION),
    flags: 0,
    flags2: 0,
    maxWrite: PAGE_SIZE,
    maxPages: 1,
    maxStackDepth: 0,
  });
  return reply;
}
