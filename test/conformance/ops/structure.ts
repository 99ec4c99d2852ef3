/**
 * The structures of ioctls: where they hold a descriptor or a pointer. A recorded structure holds those of the
 * recorder's process; they are replaced by this run's for the call, and put back before the result is compared.
 * @module
 */

import { O_RDONLY } from '../flags.js';
import type { Run } from '../run.js';
import type { Operands } from './operation.js';

const VFIO_IRQ_SET_HEADER = 20;
const VFIO_IRQ_SET_DATA_EVENTFD = 4;
const KVM_ATTR_ADDRESS = 16;
const IOVA_RANGES_POINTER = 16;
/** The feature in VFIO_DEVICE_FEATURE's flags, and where MIG_DEVICE_STATE has its stream. */
const FEATURE_MIG_DEVICE_STATE = 2;
const MIG_DATA_FD = 12;
const IOMMU_FAULT_QUEUE_ALLOC = 0x3b8e;
const FAULT_FD = 12;

/** Numbers that no file ever had: the recorder passed them for a closed one. */
const CLOSED = 900;
/** Standard input and output: files that are no eventfd. */
const STANDARD = 3;

/** Offsets of the descriptors that a request's structure holds. */
function descriptorsIn(request: unknown, bytes: Buffer): number[] {
  if (request === 'VFIO_GROUP_SET_CONTAINER') return bytes.length < 4 ? [] : [0];
  if (request === 'VFIO_DEVICE_BIND_IOMMUFD') return bytes.length < 12 ? [] : [8];
  if (request !== 'VFIO_DEVICE_SET_IRQS' || bytes.length < VFIO_IRQ_SET_HEADER) return [];
  if (!(bytes.readUInt32LE(4) & VFIO_IRQ_SET_DATA_EVENTFD)) return [];
  const count = Math.floor((bytes.length - VFIO_IRQ_SET_HEADER) / 4);
  return Array.from({ length: count }, (_, index) => VFIO_IRQ_SET_HEADER + 4 * index);
}

/** Where a request returns a descriptor that the recording has no name for, and its name here. */
function newDescriptor(request: unknown, recorded: Buffer): [at: number, name: string] | undefined {
  if (Number(request) === IOMMU_FAULT_QUEUE_ALLOC) return [FAULT_FD, 'fault_fd'];
  if (request !== 'VFIO_DEVICE_FEATURE' || recorded.length < MIG_DATA_FD + 4) return undefined;
  return recorded.readUInt16LE(4) === FEATURE_MIG_DEVICE_STATE ? [MIG_DATA_FD, 'data_fd'] : undefined;
}

/** A recorded structure on its way into a call and back. */
export class Structure {
  readonly bytes: Buffer;
  readonly #replaced: { at: number; recorded: Buffer; own: Buffer }[] = [];
  /** What a pointer in the structure is to point to. */
  pointee: Buffer | undefined;

  constructor(
    readonly run: Run,
    readonly operands: Operands,
  ) {
    const { in: input } = operands.args;
    const [, length] = /^(\d+) bytes$/.exec(String(input)) ?? [];
    this.bytes =
      length === undefined
        ? Buffer.from(String(input), 'hex')
        : abbreviated(operands.args.req, Number(length));
    this.#replaceDescriptors();
    this.pointee = this.#attribute();
  }

  /** Whether all bytes are recorded. */
  get comparable(): boolean {
    return !/ bytes$/.test(String(this.operands.args.in));
  }

  /** Where the pointee is, once it has a place. */
  pointTo(address: bigint): void {
    this.#replace(KVM_ATTR_ADDRESS, (own) => own.writeBigUInt64LE(address), 8);
  }

  /** The address of what the call fills in: there was memory at it. */
  get filledAddress(): bigint | undefined {
    const { bytes, operands } = this;
    const { req } = operands.args;
    const at =
      req === 'IOMMU_IOAS_IOVA_RANGES'
        ? IOVA_RANGES_POINTER
        : req === 'KVM_GET_DEVICE_ATTR'
          ? KVM_ATTR_ADDRESS
          : -1;
    return at < 0 || bytes.length < at + 8 ? undefined : bytes.readBigUInt64LE(at);
  }

  /** Remembers which eventfd was given to which interrupt. */
  arm(done: boolean): void {
    const { run, operands } = this;
    if (operands.args.req !== 'VFIO_DEVICE_SET_IRQS') return;
    const [first] = this.#replaced;
    const name = first && run.recorder.name(first.recorded.readInt32LE());
    if (name) run.armed.arm(this.bytes.readUInt32LE(8), name, done);
  }

  /** The structure after the call, with the recorder's own numbers in it again. */
  restore(after: Buffer): Buffer {
    const out = Buffer.from(after);
    for (const { at, recorded, own } of this.#replaced) {
      if (out.subarray(at, at + own.length).equals(own)) recorded.copy(out, at);
    }
    return this.#nameNew(out);
  }

  /** Names a descriptor that the call returned in the structure, and compares the rest. */
  #nameNew(out: Buffer): Buffer {
    const { run, operands } = this;
    const { step, args } = operands;
    if (typeof step.out !== 'string') return out;
    const recorded = Buffer.from(step.out, 'hex');
    const [at, name] = newDescriptor(args.req, recorded) ?? [4, step.newfd];
    if (typeof name !== 'string' || out.readInt32LE(at) < 0 || recorded.readInt32LE(at) < 0) return out;
    run.name(name, run.sys.ownFd?.(out.readInt32LE(at)) ?? out.readInt32LE(at));
    recorded.copy(out, at, at, at + 4);
    return out;
  }

  #replaceDescriptors(): void {
    const { args } = this.operands;
    for (const at of descriptorsIn(args.req, this.bytes)) {
      const number = this.bytes.readInt32LE(at);
      const fd = descriptor(this.run, args.fdarg ?? number);
      this.#replace(at, (own) => own.writeInt32LE(fd), 4);
    }
  }

  /** What kvm_device_attr.addr points to: a descriptor, told beside the bytes. */
  #attribute(): Buffer | undefined {
    const { args } = this.operands;
    if (!/^KVM_(SET|GET|HAS)_DEVICE_ATTR$/.test(String(args.req))) return undefined;
    const { addr } = args as { addr?: { int32_fd?: unknown } };
    const [, said, address] = /fd=(\S+) addr=(\S+)/.exec(String(args.what ?? '')) ?? [];
    const given = addr ? addr.int32_fd : address === 'None' ? said : undefined;
    if (given === undefined) return undefined;
    const bytes = Buffer.alloc(4);
    const number = Number(given);
    if (given !== 'None') bytes.writeInt32LE(descriptor(this.run, Number.isNaN(number) ? given : number));
    return bytes;
  }

  #replace(at: number, write: (own: Buffer) => void, length: number): void {
    const own = this.bytes.subarray(at, at + length);
    const recorded = Buffer.from(own);
    write(own);
    this.#replaced.push({ at, recorded, own: Buffer.from(own) });
  }
}

/**
 * This run's number for the recorder's.
 * @param given the name of a file, or the number of one that the recording has no name for
 */
function descriptor(run: Run, given: unknown): number {
  if (typeof given === 'string') return run.numberOf(given);
  const number = Number(given);
  if (number < 0 || number >= CLOSED) return number;
  const known = run.recorder.name(number);
  if (known) return run.numberOf(known);
  // Where eventfds are made in steps of their own, a number that is not among them is a closed one.
  if (run.eventfds > 0) return CLOSED + number;
  const name = `unnamed ${number}`;
  if (number < STANDARD) run.name(name, run.sys.open('/dev/null', O_RDONLY), number);
  else run.name(name, run.call('eventfd')(), number);
  return run.numberOf(name);
}

/** What was written down as a length only: a name that is too long, or a structure that says its size. */
function abbreviated(request: unknown, length: number): Buffer {
  if (request === 'VFIO_GROUP_GET_DEVICE_FD') return Buffer.alloc(length, 'x');
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(length);
  return bytes;
}
