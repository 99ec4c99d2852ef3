/**
 * The recordings' way to write down an inode: `{type, mode, uid, gid, size, nlink, blksize, blocks, rdev?}`.
 * Inode numbers and times are left out, as the recorder did.
 * @module
 */

import type { SysStat } from './sys.js';

const types: ReadonlyMap<number, string> = new Map([
  [0, 'anon'],
  [0o040000, 'dir'],
  [0o100000, 'file'],
  [0o120000, 'link'],
  [0o020000, 'chr'],
  [0o060000, 'blk'],
  [0o010000, 'fifo'],
  [0o140000, 'sock'],
]);

export const S_IFMT = 0o170000;

export function typeOf(mode: number): string {
  return types.get(mode & S_IFMT) ?? 'unknown';
}

/** dev_t as the C library packs it. */
export function makedev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

export function showDevice(rdev: number): string {
  return `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & ~0xff)}`;
}

/** Permission bits in four octal digits. */
export function showMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

export function recordedStat(stat: SysStat): Record<string, unknown> {
  const type = typeOf(stat.mode);
  const form = {
    type,
    mode: showMode(stat.mode),
    uid: stat.uid,
    gid: stat.gid,
    size: stat.size,
    nlink: stat.nlink,
    blksize: stat.blksize,
    blocks: stat.blocks,
  };
  return type === 'chr' || type === 'blk' ? { ...form, rdev: showDevice(stat.rdev) } : form;
}

/** d_type to the recorder's word: everything that is neither directory nor link is a file to it. */
export function direntType(type: number): string {
  return type === 4 ? 'dir' : type === 10 ? 'link' : 'file';
}
