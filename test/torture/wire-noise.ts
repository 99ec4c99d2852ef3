/**
 * A process that plays a hostile kernel: `node wire-noise.js MESSAGES SEED` sends random FUSE messages to a session, in
 * memory, and looks at the answers. Messages are as long as a kernel makes them; what is in them is not what a kernel puts
 * there. Some say of themselves that they are longer or shorter than they are.
 *
 * It prints what the programs in C print (programs/torture.h).
 * @module
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { FuseDevice } from '../../src/fuse/device.js';
import { Session } from '../../src/fuse/session.js';
import { parseFixture } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { FUSE_IN_HEADER_SIZE, FUSE_OUT_HEADER_SIZE, FuseOp } from '../../src/uapi/fuse.js';
import { packageRoot } from '../bench/compile.js';
import { random } from '../random.js';

const names = (
  'class bus devices mdev mdev_bus mtty drivers mdev_supported_types mtty-1 create remove available_instances kernel debug ' +
  'mdevfs ops faults hotplug module uevents holders uevent config pci bind unbind driver_override virtual vfio .. . ' +
  '__proto__ constructor toString iommu_group 0000:3b:00.0 power control 1 3'
).split(' ');
names.push('', 'a'.repeat(255), 'a'.repeat(4000), '\xff\xfe');

const texts = [
  ...['1', '0', '\n', '', '-1', 'on', 'auto', 'add', 'remove', 'change', 'clear', 'x'.repeat(5000), '\0\0\0'],
  ...['modprobe mtty', 'rmmod mtty', 'remove mtty', 'add mtty', '0000:3b:00.0', '__proto__', '9'.repeat(20)],
  ...[1, 2, 3, 4].map((n) => `7042e000-0000-4000-8000-00000000000${n}`),
  'op=write path=uevent delay=1 times=1',
  'op=remove device=* errno=EBUSY times=1',
  'op=read path=[ errno=EPERM',
  `op=probe driver=${'*?'.repeat(200)} errno=EPERM times=1`,
];

/** INIT and BATCH_FORGET have lengths that depend on what is in them. */
const left: number[] = [FuseOp.INIT, FuseOp.BATCH_FORGET, FuseOp.DESTROY];
const opcodes = Object.values(FuseOp).filter((opcode) => !left.includes(opcode));
/** What goes deeper than others. */
const frequent = [
  FuseOp.LOOKUP,
  FuseOp.LOOKUP,
  FuseOp.OPEN,
  FuseOp.READ,
  FuseOp.WRITE,
  FuseOp.WRITE,
  FuseOp.OPENDIR,
];

/** Longer than the structure of any operation. */
const BODY = 128;
const MOST_NODES = 3000;
const MOST_HANDLES = 500;
const MOST_ERRNO = 133;

const line = (text: string): void => void process.stdout.write(`${text}\n`);

class Noise {
  readonly #nodes = [1n];
  readonly #handles = [0n];
  readonly #session: Session;
  #last: Buffer = Buffer.alloc(0);
  #unique = 2n;
  answers = 0;
  readonly faults = new Set<string>();

  constructor(readonly roll: (below: number) => number) {
    const file = join(packageRoot, 'fixtures/mixed.json');
    const machine = Machine.fromFixture(parseFixture(readFileSync(file, 'utf8'), file));
    const device: FuseDevice = {
      receive: async () => {},
      catchUp() {},
      close() {},
      send: (message) => this.#take(message),
    };
    const notifier = {
      idle: true,
      post: (messages: readonly Buffer[]) => {
        for (const message of messages) this.#take(message);
      },
      announce() {},
    };
    this.#session = new Session(machine.sysfs, device, notifier, (text) => this.#heed(text));
    const { handles, cache } = this.#session;
    machine.sysfs.root.observers.add(handles).add(cache);
    const init = this.#message(FuseOp.INIT, Buffer.alloc(64));
    init.writeUInt32LE(7, FUSE_IN_HEADER_SIZE);
    init.writeUInt32LE(40, FUSE_IN_HEADER_SIZE + 4);
    this.#session.handle(init);
  }

  /** Faults of the emulation are logged; messages that say a wrong length are, too, and rightly. */
  #heed(text: string): void {
    if (!text.includes('makes no sense')) this.faults.add(text.split('\n').slice(0, 2).join(' '));
  }

  #take(message: Buffer): void {
    const [length, error] = [message.readUInt32LE(0), message.readInt32LE(4)];
    if (length !== message.length) this.faults.add(`an answer of ${message.length} bytes says ${length}`);
    // A notification.
    if (message.readBigUInt64LE(8) === 0n) return;
    this.answers++;
    if (error > 0 || error < -MOST_ERRNO) this.faults.add(`an answer with errno ${error}`);
    if (error !== 0 || message.length <= FUSE_OUT_HEADER_SIZE) return;
    const found = message.readBigUInt64LE(FUSE_OUT_HEADER_SIZE);
    const opcode = this.#last.readUInt32LE(4);
    if (opcode === FuseOp.LOOKUP) this.#nodes.push(found);
    if (opcode === FuseOp.OPEN || opcode === FuseOp.OPENDIR) this.#handles.push(found);
    if (this.#nodes.length > MOST_NODES) this.#nodes.splice(1, MOST_NODES / 2);
  }

  #message(opcode: number, body: Buffer, node = 1n): Buffer {
    const message = Buffer.concat([Buffer.alloc(FUSE_IN_HEADER_SIZE), body]);
    message.writeUInt32LE(message.length, 0);
    message.writeUInt32LE(opcode, 4);
    message.writeBigUInt64LE(this.#unique, 8);
    message.writeBigUInt64LE(node, 16);
    message.writeUInt32LE(this.roll(2) * 1000, 24);
    message.writeUInt32LE(process.pid, 32);
    this.#unique += 2n;
    this.#last = message;
    return message;
  }

  #large = (): bigint => BigInt(this.roll(2 ** 31)) * BigInt(this.roll(2 ** 31));

  #writeBody(): Buffer {
    const text = Buffer.from(texts[this.roll(texts.length)]!, 'latin1');
    const body = Buffer.alloc(40 + text.length);
    body.writeBigUInt64LE(this.#handles[this.roll(this.#handles.length)]!, 0);
    if (this.roll(10) === 0) body.writeBigUInt64LE(this.#large(), 8);
    body.writeUInt32LE(this.roll(20) ? text.length : this.roll(2 ** 31), 16);
    text.copy(body, 40);
    return body;
  }

  #anyBody(opcode: number): Buffer {
    const body = Buffer.alloc(BODY);
    for (let at = 0; at < BODY; at += 4)
      if (!this.roll(3)) body.writeUInt32LE(this.roll(4) ? this.roll(5000) : this.roll(2 ** 32), at);
    if (this.roll(4)) body.writeBigUInt64LE(this.#handles[this.roll(this.#handles.length)]!, 0);
    if (opcode === FuseOp.READ || opcode === FuseOp.READDIR) {
      body.writeBigUInt64LE(this.roll(3) ? 0n : this.#large(), 8);
      body.writeUInt32LE(this.roll(20) ? this.roll(8192) : this.roll(2 ** 31), 16);
    }
    if (opcode === FuseOp.OPEN || opcode === FuseOp.OPENDIR)
      body.writeUInt32LE(this.roll(5) ? this.roll(3) : this.roll(2 ** 31), 0);
    return body;
  }

  /** One message, and its answer. @returns milliseconds that it took */
  once(): number {
    const any = this.roll(200) === 0;
    const usual = this.roll(2) ? opcodes : frequent;
    const opcode = any ? this.roll(65_536) : usual[this.roll(usual.length)]!;
    if (left.includes(opcode)) return 0;
    const name = names[this.roll(names.length)]!;
    const body =
      opcode === FuseOp.LOOKUP && this.roll(10)
        ? Buffer.from(`${name}${this.roll(9) ? '\0' : ''}`, 'latin1')
        : opcode === FuseOp.WRITE && this.roll(10)
          ? this.#writeBody()
          : this.#anyBody(opcode);
    const node = this.roll(50) ? this.#nodes[this.roll(this.#nodes.length)]! : this.#large();
    const message = this.#message(opcode, body, node);
    if (!this.roll(300)) message.writeUInt32LE(this.roll(2) ? this.roll(100) : this.roll(2 ** 32), 0);
    const start = performance.now();
    this.#handle(message);
    if (this.#handles.length > MOST_HANDLES) this.#release();
    return performance.now() - start;
  }

  #handle(message: Buffer): void {
    try {
      this.#session.handle(message);
    } catch (error) {
      this.faults.add(`it throws ${(error as Error).stack?.split('\n').slice(0, 2).join(' ')}`);
    }
  }

  /** As the last close of a file does. */
  #release(): void {
    for (const handle of this.#handles.splice(1)) {
      const body = Buffer.alloc(24);
      body.writeBigUInt64LE(handle, 0);
      this.#handle(this.#message(FuseOp.RELEASE, body));
    }
  }
}

const [messages, seed] = process.argv.slice(2).map(Number) as [number, number];
const noise = new Noise(random(seed));
let worst = 0;
for (let count = 0; count < messages; count++) {
  worst = Math.max(worst, noise.once());
  // What sleeps goes on then.
  if (count % 2000 === 0) await turn();
}
line(`figure operations ${messages}`);
line(`figure worst_us ${Math.round(worst * 1000)}`);
line(`says ${noise.answers} answers`);
for (const fault of [...noise.faults].slice(0, 10)) line(`wrong ${fault}`);
process.exit(0);
