/**
 * The other end of /dev/fuse, in memory: a kernel that a test plays. It encodes requests as linux/fuse.h lays
 * them out and takes replies apart, each written out here a second time so that a wrong offset shows.
 * @module
 */

import type { BackingRegistry } from '../../src/fuse/backing.js';
import { type Announcement, sendAnnouncement } from '../../src/fuse/announcement.js';
import type { Notifier } from '../../src/fuse/cache.js';
import type { CharDevices } from '../../src/fuse/char-device.js';
import { uncachedView } from '../../src/fuse/char-ops.js';
import type { FuseDevice } from '../../src/fuse/device.js';
import { Session } from '../../src/fuse/session.js';
import { plainView } from '../../src/fuse/view.js';
import type { KernfsDir } from '../../src/kernfs/dir.js';
import { FuseOp } from '../../src/uapi/fuse.js';

const INVAL_INODE = 2;
const INVAL_ENTRY = 3;

export interface TwinReply {
  unique: number;
  /** 0 or a negative errno; the code of a notification. */
  error: number;
  body: Buffer;
}

export class TwinDevice implements FuseDevice {
  catchUp(): void {}

  readonly replies: TwinReply[] = [];
  /** Notifications in the order in which they were sent, as `INVAL_INODE NODE` and `INVAL_ENTRY PARENT NAME`. */
  readonly invalidations: string[] = [];

  receive(_take: (message: Buffer) => void): Promise<void> {
    return Promise.resolve();
  }

  send(message: Buffer): void {
    if (message.readUInt32LE(0) !== message.length) throw new Error('a reply of a wrong length');
    const unique = Number(message.readBigUInt64LE(8));
    const error = message.readInt32LE(4);
    const subject = message.length >= 24 ? message.readBigUInt64LE(16) : 0n;
    if (unique === 0 && error === INVAL_INODE) {
      if (message.length !== 40 || !message.subarray(24).equals(Buffer.alloc(16)))
        throw new Error('INVAL_INODE of a part');
      this.invalidations.push(`INVAL_INODE ${subject}`);
    } else if (unique === 0 && error === INVAL_ENTRY) {
      const length = message.readUInt32LE(24);
      if (message.readUInt32LE(28) !== 0 || message.length !== 32 + length + 1 || message.at(-1) !== 0)
        throw new Error('a malformed INVAL_ENTRY');
      this.invalidations.push(`INVAL_ENTRY ${subject} ${message.toString('utf8', 32, 32 + length)}`);
    } else {
      this.replies.push({ unique, error, body: Buffer.from(message.subarray(16)) });
    }
  }

  close(): void {}
}

/** Fields of a request's body, in order: numbers as [bits, value], texts NUL-terminated, buffers as they are. */
export type Field = [32 | 64 | 16, number] | string | Buffer;

export function encode(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (Buffer.isBuffer(field)) return field;
      if (typeof field === 'string') return Buffer.from(`${field}\0`);
      const [bits, value] = field;
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      return bytes.subarray(0, bits / 8);
    }),
  );
}

export const u32 = (value: number): Field => [32, value];
export const u64 = (value: number): Field => [64, value];

/** A notifier that sends at once, or when the test says so. */
export class TwinNotifier implements Notifier {
  readonly posts: (Buffer[] | Announcement)[] = [];
  held = false;

  constructor(readonly device: TwinDevice) {}

  post(messages: readonly Buffer[]): void {
    this.posts.push(messages.map((message) => Buffer.from(message)));
    if (!this.held) this.run();
  }

  announce(announcement: Announcement): void {
    this.posts.push(announcement);
    if (!this.held) this.run();
  }

  get idle(): boolean {
    return this.posts.length === 0;
  }

  /** Sends everything posted. */
  run(): void {
    for (const post of this.posts.splice(0)) {
      if (Array.isArray(post)) for (const message of post) this.device.send(message);
      else sendAnnouncement(post);
    }
  }
}

export class Twin {
  readonly device = new TwinDevice();
  readonly notifier = new TwinNotifier(this.device);
  readonly session: Session;
  readonly log: string[] = [];
  #unique = 0;

  constructor(
    readonly root: KernfsDir,
    registry?: BackingRegistry,
    devices?: CharDevices,
  ) {
    const log = (text: string) => this.log.push(text);
    const view = devices ? uncachedView : plainView;
    this.session = new Session(root, this.device, this.notifier, log, registry, view, devices);
    const { handles, cache, backings } = this.session;
    if (devices) return;
    root.root.observers.add(handles).add(cache);
    if (backings) root.root.observers.add(backings);
  }

  /** Sends a request. @returns its number */
  send(opcode: number, nodeid: number, ...fields: Field[]): number {
    const body = encode(...fields);
    this.#unique += 2;
    const unique = this.#unique;
    const header = encode(
      u32(40 + body.length),
      u32(opcode),
      u64(unique),
      u64(nodeid),
      u32(0),
      u32(0),
      u32(4711),
      u32(0),
    );
    const message = Buffer.concat([header, body]);
    this.session.handle(message);
    // The device reuses its memory.
    message.fill(0xee);
    return unique;
  }

  /** The reply to a request, taken out of the device; undefined when there is none yet. */
  reply(unique: number): TwinReply | undefined {
    const { replies } = this.device;
    const at = replies.findIndex((reply) => reply.unique === unique);
    return at < 0 ? undefined : replies.splice(at, 1)[0];
  }

  /** Sends a request and returns its reply, which must be there at once. */
  ask(opcode: number, nodeid: number, ...fields: Field[]): TwinReply {
    const reply = this.reply(this.send(opcode, nodeid, ...fields));
    if (!reply) throw new Error('no reply');
    return reply;
  }

  /** The errno of a request that is expected to fail, 0 if it did not. */
  errno(opcode: number, nodeid: number, ...fields: Field[]): number {
    const { error, body } = this.ask(opcode, nodeid, ...fields);
    if (error && body.length > 0) throw new Error('an error with a body');
    return -error;
  }

  /** Looks up a path and returns its node; every component counts one lookup. */
  walk(path: string): number {
    let nodeid = 1;
    for (const name of path.split('/').filter(Boolean)) {
      const { error, body } = this.ask(FuseOp.LOOKUP, nodeid, name);
      if (error) throw new Error(`${path}: error ${error}`);
      nodeid = Number(body.readBigUInt64LE(0));
    }
    return nodeid;
  }

  /** Opens a path and returns [node, handle]. */
  open(path: string, flags: number): [nodeid: number, fh: number] {
    const nodeid = this.walk(path);
    const { error, body } = this.ask(FuseOp.OPEN, nodeid, u32(flags), u32(0));
    if (error) throw new Error(`${path}: error ${error}`);
    return [nodeid, Number(body.readBigUInt64LE(0))];
  }

  read([nodeid, fh]: [number, number], size: number, offset: number): TwinReply {
    return this.ask(FuseOp.READ, nodeid, u64(fh), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0));
  }

  /** Fields of a WRITE. */
  static write(fh: number, data: string, offset = 0): Field[] {
    const bytes = Buffer.from(data);
    return [u64(fh), u64(offset), u32(bytes.length), u32(0), u64(0), u32(0), u32(0), bytes];
  }

  /** Fields of a READDIR or READDIRPLUS. */
  static list(offset: number, size = 4096): Field[] {
    return [u64(0), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0)];
  }
}

/** What a `fuse_attr` says. */
export function attr(body: Buffer, at: number) {
  return {
    ino: Number(body.readBigUInt64LE(at)),
    size: Number(body.readBigUInt64LE(at + 8)),
    blocks: Number(body.readBigUInt64LE(at + 16)),
    atime: [Number(body.readBigInt64LE(at + 24)), body.readUInt32LE(at + 48)],
    mtime: [Number(body.readBigInt64LE(at + 32)), body.readUInt32LE(at + 52)],
    ctime: [Number(body.readBigInt64LE(at + 40)), body.readUInt32LE(at + 56)],
    mode: body.readUInt32LE(at + 60),
    nlink: body.readUInt32LE(at + 64),
    uid: body.readUInt32LE(at + 68),
    gid: body.readUInt32LE(at + 72),
    rdev: body.readUInt32LE(at + 76),
    blksize: body.readUInt32LE(at + 80),
    flags: body.readUInt32LE(at + 84),
  };
}

export interface Dirent {
  ino: number;
  off: number;
  type: number;
  name: string;
  /** Node number of the entry before it, in a READDIRPLUS. */
  nodeid?: number;
}

export function dirents(body: Buffer, plus = false): Dirent[] {
  const entries: Dirent[] = [];
  for (let at = 0; at < body.length; ) {
    const nodeid = plus ? { nodeid: Number(body.readBigUInt64LE(at)) } : {};
    if (plus) at += 128;
    const length = body.readUInt32LE(at + 16);
    entries.push({
      ino: Number(body.readBigUInt64LE(at)),
      off: Number(body.readBigUInt64LE(at + 8)),
      type: body.readUInt32LE(at + 20),
      name: body.toString('utf8', at + 24, at + 24 + length),
      ...nodeid,
    });
    at += Math.ceil((24 + length) / 8) * 8;
  }
  return entries;
}
