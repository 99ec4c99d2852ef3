/**
 * Registers of the Bochs display adapter (samples/vfio-mdev/mbochs.c; QEMU's docs/specs/standard-vga): the DISPI
 * interface, sixteen bits each, and what picture they describe.
 * @module
 */

import { DRM_FORMAT_XRGB8888 } from '../uapi/vfio.js';

const ID = 0;
const XRES = 1;
const YRES = 2;
const BPP = 3;
const ENABLE = 4;
const VIRT_WIDTH = 6;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const VIDEO_MEMORY_64K = 10;
const COUNT = 11;

const ID5 = 0xb0c5;
const ENABLED = 1;
const BYTES_PER_PIXEL = 4;
const SMALLEST = 64;

/** A picture in video memory. */
export interface MbochsMode {
  readonly format: number;
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly offset: number;
  readonly size: number;
}

export class MbochsVbe {
  readonly #registers = new Uint16Array(COUNT);

  /** @param print takes the reason why there is no picture */
  constructor(
    readonly memorySize: number,
    readonly print: (message: string) => void,
  ) {
    this.reset();
  }

  reset(): void {
    this.#registers.fill(0);
    this.#registers[ID] = ID5;
    this.#registers[VIDEO_MEMORY_64K] = this.memorySize / 65536;
  }

  read(index: number): number {
    return this.#registers[index] ?? 0;
  }

  /** No register is read-only, not even the adapter's id. */
  write(index: number, value: number): void {
    if (index < COUNT) this.#registers[index] = value;
  }

  /** The picture that is shown; undefined when the adapter is off or the registers make no sense. */
  get mode(): MbochsMode | undefined {
    const register = (index: number) => this.#registers[index]!;
    if (!(register(ENABLE) & ENABLED)) return undefined;
    if (register(BPP) !== 8 * BYTES_PER_PIXEL) return this.#none(`bpp ${register(BPP)} not supported`);
    const [width, height] = [register(XRES), register(YRES)];
    const stride = Math.max(register(VIRT_WIDTH), width) * BYTES_PER_PIXEL;
    const size = stride * height;
    const offset = register(X_OFFSET) * BYTES_PER_PIXEL + register(Y_OFFSET) * stride;
    if (width < SMALLEST || height < SMALLEST) return this.#none(`invalid resolution ${width}x${height}`);
    if (offset + size > this.memorySize) return this.#none('framebuffer memory overflow');
    return { format: DRM_FORMAT_XRGB8888, width, height, stride, offset, size };
  }

  #none(reason: string): undefined {
    this.print(`mbochs_check_framebuffer: ${reason}`);
    return undefined;
  }
}
