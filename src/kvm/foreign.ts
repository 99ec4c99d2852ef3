/**
 * A VM of another KVM than this machine's, with the VFIO files that were added to it (virt/kvm/vfio.c): a program may use
 * the KVM of the machine that it runs on together with emulated devices.
 * @module
 */

import { CharFile } from '../base/file.js';
import { KvmVfioFiles } from './vfio-files.js';

export class ForeignVm extends CharFile {
  override readonly name = 'anon_inode:kvm-vm';
  readonly files: KvmVfioFiles;

  /**
   * @param id the process, and there the descriptor of its VFIO device
   * @param anyFile whether it takes devices, too; before Linux 6.4 there were groups alone
   */
  constructor(
    readonly id: string,
    anyFile: boolean,
  ) {
    super();
    this.files = new KvmVfioFiles(this, anyFile);
  }

  protected override release(): void {}
}
