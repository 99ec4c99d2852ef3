/**
 * The kernel log (kernel/printk): the lines that drivers print, the newest few thousand of them.
 * @module
 */

const KEPT_LINES = 4096;

export class KernelLog {
  readonly #lines: string[] = [];
  readonly #subscribers = new Set<(line: string) => void>();

  /** Prints a line, without its newline. */
  print(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines.splice(0, KEPT_LINES);
    for (const subscriber of this.#subscribers) subscriber(line);
  }

  /** The lines kept, oldest first. */
  get lines(): readonly string[] {
    return this.#lines.slice(-KEPT_LINES);
  }

  /** Calls `listener` with every line from now on. Returns what ends the subscription. */
  subscribe(listener: (line: string) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }
}
