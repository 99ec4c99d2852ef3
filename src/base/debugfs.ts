/**
 * debugfs (fs/debugfs/): the file system that a machine has mounted at /sys/kernel/debug, for root only. Files have
 * size 0 and directories list their newest entry first.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, type KernfsFileOps } from '../kernfs/file.js';
import { NewestFirstDir } from '../kernfs/newest-first.js';
import { after, type Sleeps } from '../lib/sleep.js';

export class DebugfsDir extends NewestFirstDir {
  override addDir(name: string): DebugfsDir {
    return this.add(new DebugfsDir(this.root, name));
  }
}

/** Mounts an empty debugfs below the directory of the kernel object. */
export function mountDebugfs(kernelDir: KernfsDir): KernfsDir {
  return kernelDir.add(new DebugfsDir(kernelDir.root, 'debug', undefined, 0o700));
}

export interface DebugfsFileOptions {
  mode: number;
  show?(): string;
  store?(text: string): Sleeps<void>;
  /** What stands behind one opening of the file, when each has a state of its own. */
  open?(): Omit<DebugfsFileOptions, 'mode' | 'open'>;
  /** The last descriptor of an opening is gone. */
  release?(): void;
}

/** Makes a text file (`debugfs_create_file`). */
export function debugfsCreateFile(dir: KernfsDir, name: string, options: DebugfsFileOptions): KernfsFile {
  return dir.add(new KernfsFile(dir.root, name, options.mode, fileOps(options)));
}

function fileOps({ show, store, open, release }: Omit<DebugfsFileOptions, 'mode'>): KernfsFileOps {
  return {
    size: 0,
    ...(show && { show }),
    ...(store && {
      store: (data: Uint8Array) => after(store(Buffer.from(data).toString('latin1')), () => data.length),
    }),
    ...(open && { open: () => fileOps(open()) }),
    ...(release && { release }),
  };
}
