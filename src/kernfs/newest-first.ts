/**
 * A directory that lists its newest entry first, as the memory file systems built on the dentry cache do
 * (fs/libfs.c: tmpfs, debugfs).
 * @module
 */

import { KernfsDir } from './dir.js';
import { END_OF_DIRECTORY } from './hash.js';

export class NewestFirstDir extends KernfsDir {
  protected override sorted(names: string[]) {
    const inodes = names.map((name) => ({ name, ino: this.lookup(name).ino }));
    inodes.sort((a, b) => b.ino - a.ino);
    return {
      names: inodes.map((entry) => entry.name),
      offsets: inodes.map((entry) => END_OF_DIRECTORY - 1 - entry.ino),
    };
  }
}
