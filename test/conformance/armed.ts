/**
 * Which eventfd a recorded look at one means: the recorder names it by what it was armed for.
 * @module
 */

const INTX = 0;
const MSI = 1;

interface Arming {
  index: number;
  name: string;
  done: boolean;
}

export class ArmedEventfds {
  readonly #armings: Arming[] = [];

  /** An eventfd was given to an interrupt index, or the attempt failed. */
  arm(index: number, name: string, done: boolean): void {
    this.#armings.push({ index, name, done });
  }

  last(): string {
    return this.#latest(() => true);
  }

  /** @param which such as `intx after unmask`, `msi`, `old`, `new after fd -1` */
  meant(which: string): string {
    if (/^intx/i.test(which)) return this.#latest(({ index }) => index === INTX);
    if (/^(msi|new)/i.test(which)) return this.#latest(({ index }) => index === MSI);
    if (which !== 'old') return this.last();
    const newest = this.#latest(() => true);
    return this.#latest(({ name }) => name !== newest);
  }

  /** The latest that was armed; failing that, the latest that was to be. */
  #latest(wanted: (arming: Arming) => boolean): string {
    const meant = this.#armings.filter(wanted);
    return (meant.findLast(({ done }) => done) ?? meant.at(-1))?.name ?? 'no eventfd';
  }
}
