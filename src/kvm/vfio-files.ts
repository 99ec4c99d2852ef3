/**
 * The VFIO files of a VM (virt/kvm/vfio.c `kvm_vfio_file_add`, `kvm_vfio_file_del`): each is kept open, and lets the
 * drivers behind it know the VM before they are opened.
 * @module
 */

import type { CharFile } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import { VfioGroupFile } from '../vfio/group-file.js';
import type { SpaprTceTable } from './spapr-tce.js';

export type VfioFile = VfioGroupFile | VfioDeviceFile;

export class KvmVfioFiles {
  /** With the tables of DMA addresses that a guest fills for a group. */
  readonly #files = new Map<VfioFile, Set<SpaprTceTable>>();

  /** @param anyFile whether devices can be added, and groups without a container */
  constructor(
    readonly vm: CharFile,
    readonly anyFile: boolean,
  ) {}

  keys(): Iterable<VfioFile> {
    return this.#files.keys();
  }

  get size(): number {
    return this.#files.size;
  }

  /** @throws EINVAL for a file that is not VFIO's; EEXIST for one that was added */
  add(file: CharFile | undefined): void {
    if (!this.#isValid(file)) throw new KernelError(Errno.EINVAL);
    if (this.#files.has(file)) throw new KernelError(Errno.EEXIST);
    this.#files.set(file.get(), new Set());
    file.kvm = this.vm;
  }

  #isValid(file: CharFile | undefined): file is VfioFile {
    if (this.anyFile) return file instanceof VfioGroupFile || file instanceof VfioDeviceFile;
    return file instanceof VfioGroupFile && file.hasIommu;
  }

  /** @throws ENOENT for a file that was not added */
  delete(file: CharFile | undefined): void {
    const tables = this.tablesOf(file);
    this.#files.delete(file as VfioFile);
    this.#letGo(file as VfioFile, tables);
  }

  /** @throws ENOENT for a file that was not added */
  tablesOf(file: CharFile | undefined): Set<SpaprTceTable> {
    const tables = this.#files.get(file as VfioFile);
    if (!tables) throw new KernelError(Errno.ENOENT);
    return tables;
  }

  /** The VM ends. */
  clear(): void {
    const files = [...this.#files];
    this.#files.clear();
    for (const [file, tables] of files) this.#letGo(file, tables);
  }

  #letGo(file: VfioFile, tables: Set<SpaprTceTable>): void {
    file.kvm = undefined;
    for (const table of tables) table.put();
    file.put();
  }
}
