import { CharFile } from '../base/file.js';
import type { DmaUser } from './backend.js';
import { IommufdAccess } from './iommufd-access.js';

export class IommufdCtx extends CharFile {
  bind(_user: DmaUser): IommufdAccess {
    return new IommufdAccess();
  }
  createCompatIoas(): void {}
  compatIoas(): number {
    return 0;
  }
  protected override release(): void {}
}
