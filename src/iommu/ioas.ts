/**
 * An I/O address space (`struct iommufd_ioas`, drivers/iommu/iommufd/ioas.c): an object of an iommufd that devices are
 * attached to and memory is mapped in.
 * @module
 */

import { IoasTable } from './ioas-table.js';
import { IommufdObject } from './iommufd-object.js';

export class Ioas extends IommufdObject {
  readonly table = new IoasTable();

  destroy(): void {
    this.table.destroy();
  }

  /** A line for each mapping, in order: IOVA, length, address, what a device may do, pages held. */
  ledger(): string {
    let text = '';
    for (const area of this.table.areas) text += `${area}\n`;
    return text;
  }
}
