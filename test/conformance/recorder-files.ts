/**
 * The recorder's file table, as far as a recording shows it: structures hold the numbers of that process, and which
 * file a number meant is found by doing its bookkeeping again. Its first file of a case was 5, and each new one got
 * the lowest free number.
 * @module
 */

const FIRST = 5;

export class RecorderFiles {
  readonly #names = new Map<number, string>();

  /** The file behind a number. */
  name(number: number): string | undefined {
    return this.#names.get(number);
  }

  /** @param number where the recording says which one it was */
  add(name: string, number = this.#lowest()): void {
    this.#names.set(number, name);
  }

  remove(name: string): void {
    for (const [number, known] of this.#names) if (known === name) this.#names.delete(number);
  }

  #lowest(): number {
    let number = FIRST;
    while (this.#names.has(number)) number++;
    return number;
  }
}
