/**
 * Registers of a vGPU: a DMA engine that copies within guest memory and between guest memory and that of the device.
 * docs/vgpu-device.md describes them to whoever programs it. No real GPU has them.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { VfioDevice } from '../vfio/device.js';
import { VGPU_REGISTERS_SIZE } from './vgpu-config.js';
import { VgpuPins } from './vgpu-pins.js';

const ID = 0x00;
const VERSION = 0x04;
const MEMORY_SIZE = 0x08;
const SCRATCH = 0x0c;
const SOURCE = 0x10;
const DESTINATION = 0x18;
const LENGTH = 0x20;
const COMMAND = 0x24;
const STATUS = 0x28;
const ERROR = 0x2c;
const IRQ_ENABLE = 0x30;
const IRQ_STATUS = 0x34;
const PINNED = 0x38;
const UNMAPPED = 0x3c;

/** The characters VGPU. */
const ID_VALUE = 0x55504756;
const VERSION_VALUE = 1;
const DONE = 1;
const FAILED = 2;
const IRQ_DONE = 1;
const PAGE_SIZE = 4096n;
const MAX_LENGTH = 16 * 1024 * 1024;

const Command = { copy: 1, load: 2, store: 3, pin: 4, unpin: 5, poke: 6 } as const;

/** Registers that keep what is written to them: the scratch register, both addresses, the length. */
const isPlain = (offset: number) => offset >= SCRATCH && offset <= LENGTH;

function fail(errno: number): never {
  throw new KernelError(errno);
}

/** What the engine needs of the device around it. */
export interface EngineOwner {
  readonly vdev: VfioDevice;
  /** Memory of the device. */
  readonly memory: Buffer;
  readonly memorySize: number;
  /** Whether the device may access guest memory (PCI_COMMAND_MASTER). */
  readonly busMaster: boolean;
  /** A command has ended that shall interrupt. */
  interrupt(): void;
}

export class VgpuEngine {
  readonly #registers = Buffer.alloc(VGPU_REGISTERS_SIZE);
  readonly pins: VgpuPins;

  constructor(readonly owner: EngineOwner) {
    this.pins = new VgpuPins(owner.vdev);
    this.reset();
  }

  /** Lets every page go; all registers are as after power-up. */
  reset(): void {
    this.pins.releaseAll();
    this.pins.unmapped = 0;
    this.#registers.fill(0);
    this.#set(ID, ID_VALUE);
    this.#set(VERSION, VERSION_VALUE);
    this.#set(MEMORY_SIZE, this.owner.memorySize);
  }

  #set(offset: number, value: number): void {
    this.#registers.writeUInt32LE(value >>> 0, offset);
  }

  #get(offset: number): number {
    return this.#registers.readUInt32LE(offset);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    this.#set(PINNED, this.pins.size);
    this.#set(UNMAPPED, this.pins.unmapped);
    return this.#registers.readUIntLE(offset, size);
  }

  /** Registers are written whole; anything narrower is dropped. */
  write(offset: number, value: number, size: 1 | 2 | 4): void {
    if (size !== 4) return;
    if (isPlain(offset)) this.#set(offset, value);
    else if (offset === IRQ_ENABLE) this.#set(offset, value & IRQ_DONE);
    else if (offset === STATUS || offset === IRQ_STATUS) this.#set(offset, this.#get(offset) & ~value);
    else if (offset === COMMAND) this.#run(value);
  }

  /** Whether there is a cause to interrupt that nobody has cleared. */
  get interrupting(): boolean {
    return (this.#get(IRQ_STATUS) & this.#get(IRQ_ENABLE) & IRQ_DONE) !== 0;
  }

  /** Runs a command to its end, and interrupts if that is enabled. */
  #run(command: number): void {
    let errno = 0;
    try {
      this.#execute(command);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      errno = error.errno;
    }
    this.#set(ERROR, errno);
    this.#set(STATUS, DONE | (errno === 0 ? 0 : FAILED));
    if (!(this.#get(IRQ_ENABLE) & IRQ_DONE)) return;
    this.#set(IRQ_STATUS, IRQ_DONE);
    this.owner.interrupt();
  }

  #execute(command: number): void {
    const { vdev, busMaster } = this.owner;
    if (!busMaster) fail(Errno.EPERM);
    const length = this.#get(LENGTH);
    if (length === 0 || length > MAX_LENGTH) fail(Errno.EINVAL);
    const source = this.#registers.readBigUInt64LE(SOURCE);
    const destination = this.#registers.readBigUInt64LE(DESTINATION);
    const pages = Math.ceil(length / Number(PAGE_SIZE));
    switch (command) {
      case Command.copy:
        vdev.dmaWrite(destination, vdev.dmaRead(source, length));
        break;
      case Command.load:
        vdev.dmaRead(source, length, this.#memoryAt(destination, length));
        break;
      case Command.store:
        vdev.dmaWrite(destination, this.#memoryAt(source, length));
        break;
      case Command.pin:
      case Command.unpin:
        if (source % PAGE_SIZE !== 0n) fail(Errno.EINVAL);
        if (command === Command.pin) this.pins.pin(source, pages);
        else this.pins.unpin(source, pages);
        break;
      case Command.poke:
        this.pins.write(destination, this.#registers.subarray(SCRATCH, SCRATCH + 4));
        break;
      default:
        fail(Errno.EINVAL);
    }
  }

  #memoryAt(offset: bigint, length: number): Buffer {
    if (offset + BigInt(length) > BigInt(this.owner.memorySize)) fail(Errno.EFAULT);
    return this.owner.memory.subarray(Number(offset), Number(offset) + length);
  }
}
