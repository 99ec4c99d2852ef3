import type { Dma, PinnedPage } from './backend.js';

export class IommufdAccess implements Dma {
  readonly id = 1;
  attach(_id: number): void {}
  detach(): void {}
  destroy(): void {}
  pinPages(): PinnedPage[] {
    return [];
  }
  unpinPages(): void {}
  dmaRead(): Buffer {
    return Buffer.alloc(0);
  }
  dmaWrite(): void {}
}
