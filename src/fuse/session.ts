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
import type { KernfsObserver } from '../kernfs/notify.js';
import { Errno, KernelError } from '../lib/errno.js';
import { asleep } from '../lib/sleep.js';
import {
  decodeInitIn,
  decodeInterruptIn,
  encodeOutHeader,
  FUSE_OLDEST_MINOR_VERSION,
  FuseOp,
} from '../uapi/fuse.js';
import { type Announcement, sendAnnouncement } from './announcement.js';
import { BackingFiles, type BackingRegistry } from './backing.js';
import { KernelCache, type Notifier } from './cache.js';
import type { CharDevices } from './char-device.js';
import { CharHandles } from './char-handles.js';
import { charOps } from './char-ops.js';
import type { FuseDevice } from './device.js';
import { dirOps } from './dir-ops.js';
import { fileOps } from './file-ops.js';
import { HandleTable } from './handles.js';
import { attributeGreeting, deviceGreeting, greet, hasPassthrough } from './init.js';
import { inodeOps } from './inode-ops.js';
import { NodeTable } from './nodes.js';
import { pollWakeup } from './notification.js';
import type { Mount, Operation, Operations } from './operation.js';
import { OperationCounts } from './ops.js';
import { notificationName, printNotification, printReply, printRequest } from './print.js';
import { refusedOps } from './refused-ops.js';
import { NO_REPLY, newReply, parseRequest, REPLY_BODY, type Reply, type Request } from './request.js';
import type { Log } from './transport.js';
import { plainView, type View } from './view.js';
import { xattrOps } from './xattr-ops.js';

const debug = createDebug('mdevfs:fuse');
const tracing = debug.enabled;

const attributeOps: Operations = { ...inodeOps, ...fileOps, ...dirOps, ...xattrOps, ...refusedOps };

const NOTHING: readonly Buffer[] = [];

export class Session implements Mount {
  readonly nodes: NodeTable;
  readonly handles: HandleTable;
  readonly cache: KernelCache;
  readonly counts = new OperationCounts();
  /** Settles when the kernel has said what it can do. */
  readonly greeted: Promise<void>;
  readonly #sleeping = new Map<number, Request>();
  readonly #operations: Operations;
  /** Open devices, of a mount that shows those. */
  readonly chars: CharHandles | undefined;
  #backings: BackingFiles | undefined;
  #greeted!: () => void;
  /** Whether a request is being handled, whose end will take back what it outdated. */
  #handling = false;
  /** Pollers to wake when that is done. */
  #wakeups: Buffer[] = [];
  /** Done before a file is read or written, so that what was asked elsewhere earlier has happened by then. */
  before: (() => void) | undefined;
  /** What may be said then, in order. */
  #announcements: Announcement[] = [];

  /**
   * @param notifier sends what must not be sent from here, see cache.ts
   * @param log takes faults of the emulation
   * @param registry takes backing files; without it every read is answered here
   * @param view what is shown of the tree
   * @param devices answers for the character devices that the tree consists of
   */
  constructor(
    readonly root: KernfsDir,
    readonly device: FuseDevice,
    readonly notifier: Notifier,
    readonly log: Log = console.error,
    registry?: BackingRegistry,
    readonly view: View = plainView,
    devices?: CharDevices,
  ) {
    this.greeted = new Promise((resolve) => {
      this.#greeted = resolve;
    });
    this.chars = devices && new CharHandles();
    this.#operations = devices ? charOps(devices, this.chars!) : attributeOps;
    this.nodes = new NodeTable(root);
    this.handles = new HandleTable((kh) => this.#wake(pollWakeup(kh)));
    this.cache = new KernelCache(
      this.nodes,
      (node) => this.handles.isOpen(node),
      () => this.#cachesOutdated(),
    );
    if (registry) this.#backings = new BackingFiles(registry, (file) => this.handles.isOpen(file), log);
  }

  /** Undefined when reads are not passed through, because nobody can, or the kernel cannot. */
  get backings(): BackingFiles | undefined {
    return this.#backings;
  }

  /** Serves requests until the file system is unmounted or the device is closed. */
  async serve(): Promise<void> {
    const { observers } = this.root.root;
    const own = this.#observers;
    for (const observer of own) observers.add(observer);
    try {
      await this.device.receive((message) => this.handle(message));
    } finally {
      for (const observer of own) observers.delete(observer);
      this.chars?.releaseAll();
      this.#greeted();
    }
  }

  /** Who hears of changes in the tree: of one with devices nothing is remembered, so nothing is to be taken back. */
  get #observers(): KernfsObserver[] {
    if (this.chars) return [];
    const faults = { faultsChanged: () => this.#faultsChanged() };
    return [this.handles, this.cache, faults, ...(this.#backings ? [this.#backings] : [])];
  }

  /** Takes one request off the wire. Its memory may be used again when this returns. */
  handle(message: Buffer): void {
    const request = parseRequest(message);
    if (!request) {
      this.log(`mdevfs: a FUSE message of ${message.length} bytes makes no sense and was dropped`);
      return;
    }
    if (tracing) debug(printRequest(request));
    const { opcode, nodeid } = request;
    if (nodeid !== this.counts.ownFile) this.counts.countRequest(opcode);
    this.#handling = true;
    if (this.before && (opcode === FuseOp.WRITE || opcode === FuseOp.READ)) this.before();
    try {
      const reply = this.#operation(opcode)(this, request);
      if (asleep(reply)) this.#answerLater(request, reply);
      else if (reply) this.#answer(request, reply);
    } catch (error) {
      this.#fail(request, error);
    }
    this.#handling = false;
    // What slept, or has no answer.
    this.#cleanCaches();
  }

  #answerLater(request: Request, reply: Promise<Reply | undefined>): void {
    const { unique } = request;
    // The message is the device's again from now on.
    const sleeper = { ...request, message: Buffer.alloc(0) };
    this.#sleeping.set(unique, sleeper);
    const renumbered = this.nodes.sleptOn(request.nodeid);
    if (renumbered?.parent) this.cache.forgetName(renumbered.parent, renumbered.name);
    reply
      .then(
        (late) => {
          if (late) this.#answer(sleeper, late);
        },
        (error: unknown) => this.#fail(sleeper, error),
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
    const operation = this.#operations[opcode];
    if (!operation) throw new KernelError(Errno.ENOSYS);
    return operation;
  }

  #init(request: Request): Reply {
    if (!hasPassthrough(request)) this.#backings = undefined;
    this.#greeted();
    const passthrough = this.#backings !== undefined || this.chars !== undefined;
    try {
      return greet(request, this.chars ? deviceGreeting : attributeGreeting, passthrough);
    } catch (error) {
      const { major, minor } = decodeInitIn(request.message);
      this.log(`mdevfs: this kernel speaks FUSE ${major}.${minor}; 7.${FUSE_OLDEST_MINOR_VERSION} is needed`);
      throw error;
    }
  }

  /**
   * A signal reached a process whose request is unanswered. What sleeps here is the removal of a device that is
   * in use, and that sleep is uninterruptible: the writer stays until the device is released, killed or not.
   */
  #interrupt(request: Request): undefined {
    const target = this.#sleeping.get(decodeInterruptIn(request.message));
    if (target) debug(`#${target.unique} sleeps on, uninterruptible`);
    return NO_REPLY;
  }

  #answer({ unique, opcode }: Request, reply: Reply): void {
    if (tracing) debug(printReply(unique, 0, reply.length - REPLY_BODY));
    encodeOutHeader(reply, reply.length, 0, unique);
    this.#send(opcode, reply);
  }

  #fail({ unique, opcode }: Request, error: unknown): void {
    const errno = error instanceof KernelError ? error.errno : Errno.EIO;
    if (!(error instanceof KernelError))
      this.log(`mdevfs: ${error instanceof Error ? error.stack : String(error)}`);
    if (tracing) debug(printReply(unique, errno, 0));
    const reply = newReply(0);
    encodeOutHeader(reply, reply.length, -errno, unique);
    this.#send(opcode, reply);
  }

  /**
   * Sends an answer. A write returns when what it outdated is taken back everywhere, and what others outdated before
   * it; everybody else is answered at once, for nothing that they asked depends on it, and the notifier may be
   * waiting for a lock that they hold.
   */
  #send(opcode: number, reply: Reply): void {
    if (opcode !== FuseOp.WRITE || this.#cleanCaches(reply)) this.device.send(reply);
  }

  /**
   * Who has opened an attribute by way of its backing file reads on without us, and as long as they do, so does everybody
   * who opens it. Where faults are to be seen, it gets a new number: the next who open it find another file.
   */
  #faultsChanged(): void {
    const { faults } = this.root.root;
    for (const file of faults ? (this.#backings?.files ?? []) : []) {
      if (!file.parent || !this.handles.isOpen(file) || !faults!.covers(file, 'read')) continue;
      for (const nodeid of this.nodes.numbersOf(file)) this.nodes.sleptOn(nodeid);
      this.cache.forgetName(file.parent, file.name);
    }
  }

  /** Something changed. Outside of a request, whatever else changes in the same turn goes with it. */
  #cachesOutdated(): void {
    if (!this.#handling) queueMicrotask(() => this.#cleanCaches());
  }

  /**
   * Takes back what is outdated, and makes the announcements after it.
   * @param reply leaves behind them, when the notifier has to send something
   * @returns whether there is nothing left for the notifier, so that the reply can leave now
   */
  #cleanCaches(reply?: Reply): boolean {
    const entries = this.#outdatedEntries();
    const announcements = this.#announcements;
    if (announcements.length === 0) {
      if (!reply && entries.length === 0) return true;
      const clean = entries.length === 0 && this.notifier.idle;
      if (!clean) this.notifier.post(reply ? [...entries, reply] : entries);
      return clean;
    }
    this.#announcements = [];
    // This thread waits for no answer.
    const isAnswered = announcements.some(({ answer }) => answer !== undefined);
    if (entries.length === 0 && this.notifier.idle && !isAnswered) {
      for (const announcement of announcements) sendAnnouncement(announcement);
      return true;
    }
    if (entries.length > 0) this.notifier.post(entries);
    for (const announcement of announcements) this.notifier.announce(announcement);
    if (reply) this.notifier.post([reply]);
    return false;
  }

  get #isOutdated(): boolean {
    return this.cache.isOutdated || (this.#backings?.isOutdated ?? false);
  }

  /** Takes back attributes now, and returns the messages that take back names and listings, and wake pollers. */
  #outdatedEntries(): readonly Buffer[] {
    if (!this.#isOutdated && this.#wakeups.length === 0) return NOTHING;
    for (const message of this.cache.takeInodes()) this.#notify(message);
    const backings = this.#backings?.takeOutdated() ?? [];
    if (backings.length > 0) this.notifier.post(backings, 'backings');
    const entries = [...this.cache.takeEntries(), ...this.#wakeups];
    this.#wakeups = [];
    for (const message of entries) this.#noteNotification(message);
    return entries;
  }

  /** Sends an announcement behind everything that is outdated now; see transport.ts. */
  announce(announcement: Announcement): void {
    this.#announcements.push(announcement);
    if (this.#announcements.length === 1) this.#cachesOutdated();
  }

  /** Whoever is woken looks at the tree, so the wake-up too stays behind what is outdated. */
  #wake(message: Buffer): void {
    if (!this.#isOutdated && this.notifier.idle) this.#notify(message);
    else {
      this.#wakeups.push(message);
      this.#cachesOutdated();
    }
  }

  #notify(message: Buffer): void {
    this.#noteNotification(message);
    this.device.send(message);
  }

  #noteNotification(message: Buffer): void {
    this.counts.countNotification(notificationName(message));
    if (tracing) debug(printNotification(message));
  }
}
