/**
 * Video memory of an mbochs device, and the buffers that pictures in it are handed out as (samples/vfio-mdev/mbochs.c
 * `mbochs_dmabuf_*`).
 *
 * The kernel allocates page by page; here the memory comes into being as a whole at the first use. It is forgotten with
 * the last user of the device; a buffer that is still open, and a mapping, keep what they show.
 *
 * Modelled with its peculiarity: a picture asked for the first time is ENOMEM, the second time it is there.
 * @module
 */

import { CharFile } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { VfioDevice } from '../vfio/device.js';
import type { MbochsMode } from './mbochs-vbe.js';

const PAGE_SIZE = 4096;

/** A dma-buf: memory of a picture. Nothing but mapping it is modelled. */
class MbochsDmabufFile extends CharFile {
  override readonly name = '/dmabuf:';

  constructor(readonly memory: Buffer) {
    super();
  }

  /** @throws EINVAL beyond its end */
  override mmap(offset: number, length: number): Uint8Array {
    if (offset + length > this.memory.length) throw new KernelError(Errno.EINVAL);
    return this.memory.subarray(offset, offset + length);
  }

  protected override release(): void {}
}

interface Dmabuf {
  readonly id: number;
  readonly mode: MbochsMode;
  file: MbochsDmabufFile | undefined;
}

export class MbochsMemory {
  #bytes: Buffer | undefined;
  #dmabufs: Dmabuf[] = [];
  #nextId = 1;

  /**
   * @param offset of the memory in the device's file
   * @param print takes the reason why a buffer cannot be handed out
   */
  constructor(
    readonly vdev: VfioDevice,
    readonly offset: number,
    readonly size: number,
    readonly print: (message: string) => void,
  ) {}

  get bytes(): Buffer {
    this.#bytes ??= this.vdev.core.devicePages.alloc(this.vdev, this.offset, this.size);
    return this.#bytes;
  }

  /**
   * The buffer that stands for a picture.
   * @throws ENOMEM for a picture that nobody has asked for before
   */
  dmabufOf(mode: MbochsMode): number {
    const key = JSON.stringify(mode);
    const known = this.#dmabufs.find((dmabuf) => JSON.stringify(dmabuf.mode) === key);
    if (known) return known.id;
    this.#dmabufs.push({ id: this.#nextId++, mode, file: undefined });
    throw new KernelError(Errno.ENOMEM);
  }

  /**
   * The file of a buffer, to be installed.
   * @throws ENOENT for no buffer; EINVAL for a picture that does not begin with a page
   */
  export(id: number): CharFile {
    const dmabuf = this.#dmabufs.find((candidate) => candidate.id === id);
    if (!dmabuf) throw new KernelError(Errno.ENOENT);
    const { offset, size } = dmabuf.mode;
    if (offset % PAGE_SIZE !== 0) {
      this.print('mbochs_dmabuf_export: framebuffer not page-aligned');
      throw new KernelError(Errno.EINVAL);
    }
    const end = offset + Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    dmabuf.file ??= new MbochsDmabufFile(this.bytes.subarray(offset, end));
    return dmabuf.file;
  }

  /** The last user has gone. */
  forget(): void {
    this.#bytes = undefined;
    this.vdev.core.devicePages.forget(this.vdev, this.offset, this.size);
    this.#dmabufs = [];
  }
}
