/**
 * open(2), read(2) and write(2) of kernfs files as user space gets them, with the faults that are meant for them. A tree
 * without rules has no faults, and asks nobody.
 *
 * What cannot wait has a variant that leaves out delays: an emulated process opens and reads at once.
 * @module
 */

import { type Fault, failWith, shortened, struck } from '../lib/fault.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { KernfsFile, KernfsOpenFile } from './file.js';
import type { KernfsNode } from './node.js';

export type FileOperation = 'open' | 'read' | 'write';

/** Who has the rules. */
export interface FileFaults {
  /** The fault of one operation that begins now. */
  shouldFail(node: KernfsNode, operation: FileOperation): Fault | undefined;
  /** Whether some operation of that kind may get one. */
  covers(node: KernfsNode, operation: FileOperation): boolean;
}

/** The fault of an operation on a node; one that was removed fails by itself. */
export function faultOf(node: KernfsNode, operation: FileOperation): Fault | undefined {
  return node.removed ? undefined : node.root.faults?.shouldFail(node, operation);
}

export function openFile(file: KernfsFile, flags: number): Sleeps<KernfsOpenFile> {
  return struck(faultOf(file, 'open'), () => file.open(flags));
}

export function openFileNow(file: KernfsFile, flags: number): KernfsOpenFile {
  failWith(faultOf(file, 'open'));
  return file.open(flags);
}

export function readFile(open: KernfsOpenFile, offset: number, length: number): Sleeps<Uint8Array> {
  const fault = faultOf(open.file, 'read');
  return struck(fault, () => open.read(offset, shortened(fault, length)));
}

export function readFileNow(open: KernfsOpenFile, offset: number, length: number): Uint8Array {
  const fault = faultOf(open.file, 'read');
  failWith(fault);
  return open.read(offset, shortened(fault, length));
}

/** The owner of the file gets all of the data, also where the result is short. */
export function writeFile(open: KernfsOpenFile, data: Uint8Array, offset: number): Sleeps<number> {
  const fault = faultOf(open.file, 'write');
  const written = struck(fault, () => open.write(data, offset));
  return fault ? after(written, (count) => shortened(fault, count)) : written;
}
