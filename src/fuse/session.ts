/**
 * The conversation with the kernel about one mount: it greets (INIT), takes one request after another, finds
 * the operation, and sends what that answers. Answers need not come in order: an operation that sleeps is
 * answered when it wakes up, and everybody else is served in between.
 *
 * This is the one place where an exception becomes an errno. What is no KernelError is a fault of the
 * emulation: the client gets EIO, the log gets the stack, and the session goes on.
 * @module
 */

import createDebug from 'debug';
import type { KernfsDir } from '../kernfs/dir.js';
import { Errno, KernelError } from '../lib/errno.js';
import { asleep } from '../lib/sleep.js';
import {
  decodeInitIn,
  decodeInterruptIn,
  encodeInitOut,
  encodeOutHeader,
  encodeU64Out,
  FUSE_INIT_OUT_SIZE,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_NOTIFY_POLL,
  FUSE_NOTIFY_POLL_OUT_SIZE,
  FUSE_OLDEST_MINOR_VERSION,
  FuseInit,
  FuseOp,
} from '../uapi/fuse.js';
import { nothingCached } from './cache.js';
import type { FuseDevice } from './device.js';
import { dirOps } from './dir-ops.js';
import { fileOps, MAX_WRITE } from './file-ops.js';
import { HandleTable } from './handles.js';
import { inodeOps } from './inode-ops.js';
import { NodeTable } from './nodes.js';
import type { Mount, Operation, Operations } from './operation.js';
import { printReply, printRequest } from './print.js';
import { refusedOps } from './refused-ops.js';
import { NO_REPLY, newReply, parseRequest, REPLY_BODY, type Reply, type Request } from './request.js';
import type { Log } from './transport.js';
import { xattrOps } from './xattr-ops.js';

const debug = createDebug('mdevfs:fuse');

const operations: Operations = { ...inodeOps, ...fileOps, ...dirOps, ...xattrOps, ...refusedOps };

/** What is asked of the kernel, where it offers it. */
const WANTED_FLAGS =
  FuseInit.ATOMIC_O_TRUNC | FuseInit.BIG_WRITES | FuseInit.PARALLEL_DIROPS | FuseInit.MAX_PAGES;

/** Pages of user memory one request may gather: a writev(2) of up to so many pieces is one store. */
const MAX_PAGES = 256;

/** Only kernels before 7.31 and of another major version are refused; the errno is what mount's users see. */
const EPROTO = 71;

export class Session implements Mount {
  readonly nodes: NodeTable;
  readonly handles: HandleTable;
  readonly timeouts = nothingCached;
  readonly #sleeping = new Map<number, Request>();

  /**
   * @param log takes faults of the emulation
   */
  constructor(
    readonly root: KernfsDir,
    readonly device: FuseDevice,
    readonly log: Log = console.error,
  ) {
    this.nodes = new NodeTable(root);
    this.handles = new HandleTable((kh) => this.#notifyPoll(kh));
  }

  /** Serves requests until the file system is unmounted or the device is closed. */
  async serve(): Promise<void> {
    const { observers } = this.root.root;
    observers.add(this.handles);
    try {
      await this.device.receive((message) => this.handle(message));
    } finally {
      observers.delete(this.handles);
    }
  }

  /** Takes one request off the wire. Its memory may be used again when this returns. */
  handle(message: Buffer): void {
    const request = parseRequest(message);
    if (!request) {
      this.log(`mdevfs: a FUSE message of ${message.length} bytes makes no sense and was dropped`);
      return;
    }
    if (debug.enabled) debug(printRequest(request));
    const { unique, opcode } = request;
    try {
      const reply = this.#operation(opcode)(this, request);
      if (asleep(reply)) this.#answerLater(request, reply);
      else this.#send(unique, reply);
    } catch (error) {
      this.#fail(unique, error);
    }
  }

  #answerLater(request: Request, reply: Promise<Reply | undefined>): void {
    const { unique } = request;
    // The body is the device's again from now on.
    this.#sleeping.set(unique, { ...request, body: Buffer.alloc(0) });
    this.nodes.sleptOn(request.nodeid);
    reply
      .then(
        (late) => this.#send(unique, late),
        (error: unknown) => this.#fail(unique, error),
      )
      .finally(() => this.#sleeping.delete(unique));
  }

  #operation(opcode: number): Operation {
    switch (opcode) {
      case FuseOp.INIT:
        return (_, request) => this.#init(request);
      case FuseOp.DESTROY:
        return () => newReply(0);
      case FuseOp.INTERRUPT:
        return (_, request) => this.#interrupt(request);
    }
    const operation = operations[opcode];
    if (!operation) throw new KernelError(Errno.ENOSYS);
    return operation;
  }

  #init(request: Request): Reply {
    const { major, minor, flags } = decodeInitIn(request.body);
    if (major !== FUSE_KERNEL_VERSION || minor < FUSE_OLDEST_MINOR_VERSION) {
      this.log(`mdevfs: this kernel speaks FUSE ${major}.${minor}; 7.${FUSE_OLDEST_MINOR_VERSION} is needed`);
      throw new KernelError(EPROTO);
    }
    const reply = newReply(FUSE_INIT_OUT_SIZE);
    encodeInitOut(reply, REPLY_BODY, {
      minor: Math.min(minor, FUSE_KERNEL_MINOR_VERSION),
      flags: flags & WANTED_FLAGS,
      maxWrite: MAX_WRITE,
      maxPages: MAX_PAGES,
    });
    return reply;
  }

  /**
   * A signal reached a process whose request is unanswered. What sleeps here is the removal of a device that is
   * in use, and that sleep is uninterruptible: the writer stays until the device is released, killed or not.
   */
  #interrupt(request: Request): undefined {
    const target = this.#sleeping.get(decodeInterruptIn(request.body));
    if (target) debug(`#${target.unique} sleeps on, uninterruptible`);
    return NO_REPLY;
  }

  #send(unique: number, reply: Reply | undefined): void {
    if (!reply) return;
    if (debug.enabled) debug(printReply(unique, 0, reply.length - REPLY_BODY));
    encodeOutHeader(reply, reply.length, 0, unique);
    this.device.send(reply);
  }

  #fail(unique: number, error: unknown): void {
    const errno = error instanceof KernelError ? error.errno : Errno.EIO;
    if (!(error instanceof KernelError))
      this.log(`mdevfs: ${error instanceof Error ? error.stack : String(error)}`);
    if (debug.enabled) debug(printReply(unique, errno, 0));
    const reply = newReply(0);
    encodeOutHeader(reply, reply.length, -errno, unique);
    this.device.send(reply);
  }

  #notifyPoll(kh: number): void {
    const message = newReply(FUSE_NOTIFY_POLL_OUT_SIZE);
    encodeU64Out(message, REPLY_BODY, kh);
    encodeOutHeader(message, message.length, FUSE_NOTIFY_POLL, 0);
    this.device.send(message);
  }
}
