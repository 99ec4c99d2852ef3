/**
 * Names that the kernel was told are missing, by directory: each has to be taken back when it appears. The kernel does
 * not say when it forgets one, so their number is limited, and beyond the limit it is not told to remember.
 * @module
 */

const LIMIT = 65_536;

export class NegativeNames {
  readonly #byDir = new Map<number, Set<string>>();
  #count = 0;

  /** @returns whether the kernel may remember that the name is missing */
  add(dir: number, name: string): boolean {
    let names = this.#byDir.get(dir);
    if (names?.has(name)) return true;
    if (this.#count >= LIMIT) return false;
    if (!names) {
      names = new Set();
      this.#byDir.set(dir, names);
    }
    names.add(name);
    this.#count++;
    return true;
  }

  /** @returns whether the kernel may remember the name as missing */
  delete(dir: number, name: string): boolean {
    const names = this.#byDir.get(dir);
    if (!names?.delete(name)) return false;
    this.#count--;
    if (names.size === 0) this.#byDir.delete(dir);
    return true;
  }

  /** The kernel forgot the directory, and every name in it before. */
  forgetDir(dir: number): void {
    this.#count -= this.#byDir.get(dir)?.size ?? 0;
    this.#byDir.delete(dir);
  }

  get size(): number {
    return this.#count;
  }
}
