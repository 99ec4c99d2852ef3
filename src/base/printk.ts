/**
 * The kernel log (kernel/printk): the lines that drivers print, the newest few thousand of them.
 * @module
 */

const LINES_PER_BLOCK = 64;
const KEPT_BLOCKS = 64;

export class KernelLog {
  /** Lines are joined to one text for each block: a line by itself would be many small objects for long. */
  readonly #blocks: string[] = [];
  #newest: string[] = [];
  readonly #subscribers = new Set<(line: string) => void>();

  /** Prints a line, without its newline. */
  print(line: string): void {
    this.#newest.push(line);
    if (this.#newest.length === LINES_PER_BLOCK) this.#endBlock();
    for (const subscriber of this.#subscribers) subscriber(line);
  }

  #endBlock(): void {
    this.#blocks.push(this.#newest.join('\n'));
    this.#newest = [];
    if (this.#blocks.length > KEPT_BLOCKS) this.#blocks.shift();
  }

  /** The lines kept, oldest first. */
  get lines(): readonly string[] {
    return [...this.#blocks.flatMap((block) => block.split('\n')), ...this.#newest];
  }

  /** Calls `listener` with every line from now on. Returns what ends the subscription. */
  subscribe(listener: (line: string) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }
}
