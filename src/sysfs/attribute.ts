/**
 * sysfs attributes (include/linux/sysfs.h, fs/sysfs/file.c): a show/store pair beside a name and a mode, shared
 * by every object of a kind. The file of an attribute is made when somebody looks at it.
 * @module
 */

import { KernfsFile, PAGE_SIZE } from '../kernfs/file.js';
import type { KernfsRoot } from '../kernfs/node.js';
import { after, type Sleeps } from '../lib/sleep.js';

/** A text attribute of objects of type T. Its file has the size of a page, whatever it shows. */
export interface Attribute<T> {
  readonly name: string;
  readonly mode: number;
  /** The text, usually with its newline. Throws the errno that read(2) gets. */
  show?(owner: T): string;
  /** Whether the text is the same as long as the object lives. */
  readonly constant?: boolean;
  /** Takes one write, whole. Throws the errno that write(2) gets; a promise when the operation blocks. */
  store?(owner: T, text: string): Sleeps<void>;
}

/** A binary attribute: bytes at offsets. */
export interface BinAttribute<T> {
  readonly name: string;
  readonly mode: number;
  /** Bytes that stat reports and reads end at. */
  size(owner: T): number;
  read?(owner: T, offset: number, length: number): Uint8Array;
  write?(owner: T, data: Uint8Array, offset: number): Sleeps<void>;
}

export function isBinAttribute<T>(attribute: Attribute<T> | BinAttribute<T>): attribute is BinAttribute<T> {
  return 'size' in attribute;
}

/** The file that shows `attribute` of `owner`. */
export function attributeFile<T>(
  root: KernfsRoot,
  attribute: Attribute<T> | BinAttribute<T>,
  owner: T,
): KernfsFile {
  const ops = isBinAttribute(attribute) ? binOps(attribute, owner) : textOps(attribute, owner);
  return new KernfsFile(root, attribute.name, attribute.mode, ops);
}

const bytesOf = (data: Uint8Array) =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.length);

function textOps<T>(attribute: Attribute<T>, owner: T) {
  const { show, store, constant = false } = attribute;
  return {
    size: PAGE_SIZE,
    constant,
    ...(show && { show: () => show.call(attribute, owner) }),
    ...(store && {
      store: (data: Uint8Array) =>
        after(store.call(attribute, owner, bytesOf(data).toString('latin1')), () => data.length),
    }),
  };
}

function binOps<T>(attribute: BinAttribute<T>, owner: T) {
  const { read, write } = attribute;
  return {
    size: attribute.size(owner),
    ...(read && { read: (offset: number, length: number) => read.call(attribute, owner, offset, length) }),
    ...(write && {
      store: (data: Uint8Array, offset: number) =>
        after(write.call(attribute, owner, data, offset), () => data.length),
    }),
  };
}
