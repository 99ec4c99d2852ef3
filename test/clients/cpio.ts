/**
 * An archive as a kernel unpacks it at boot: cpio in its `newc` form (Documentation/driver-api/early-userspace,
 * buffer-format.rst). Everything belongs to root; hard links and device nodes are not needed.
 * @module
 */

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const ALIGNMENT = 4;

const S_IFDIR = 0o040_000;
const S_IFREG = 0o100_000;
const S_IFLNK = 0o120_000;

const padding = (length: number) => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);

export class CpioArchive {
  readonly #parts: Buffer[] = [];
  readonly #names = new Set<string>();

  /** @param path from the root of the archive, with or without a slash in front; its directories are added too */
  file(path: string, data: Buffer | string, permissions = 0o644): this {
    return this.#add(path, S_IFREG | permissions, Buffer.from(data));
  }

  symlink(path: string, target: string): this {
    return this.#add(path, S_IFLNK | 0o777, Buffer.from(target));
  }

  directory(path: string): this {
    return this.#add(path, S_IFDIR | 0o755, Buffer.alloc(0));
  }

  bytes(): Buffer {
    return Buffer.concat([...this.#parts, this.#member(TRAILER, 0, Buffer.alloc(0), 0)]);
  }

  #add(path: string, mode: number, data: Buffer): this {
    const name = path.replace(/^\/+/, '');
    if (name === '' || this.#names.has(name)) return this;
    this.directory(name.split('/').slice(0, -1).join('/'));
    this.#names.add(name);
    this.#parts.push(this.#member(name, mode, data, this.#names.size));
    return this;
  }

  #member(name: string, mode: number, data: Buffer, inode: number): Buffer {
    const path = Buffer.from(`${name}\0`);
    // ino, mode, uid, gid, nlink, mtime, filesize, major and minor of where it is and of what it is, namesize, check
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, path.length, 0];
    const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join(''));
    return Buffer.concat([header, path, padding(header.length + path.length), data, padding(data.length)]);
  }
}
