/**
 * Interrupt numbers of MSI and MSI-X vectors (kernel/irq/irqdesc.c): the lowest free number above those of the
 * interrupt controllers, or the number that a description of the machine asks for.
 * @module
 */

export class InterruptNumbers {
  readonly #used = new Set<number>();

  constructor(readonly first: number) {}

  /** @param wanted taken if it is free */
  alloc(wanted?: number): number {
    let irq = wanted !== undefined && !this.#used.has(wanted) ? wanted : this.first;
    while (this.#used.has(irq)) irq++;
    this.#used.add(irq);
    return irq;
  }

  free(irq: number): void {
    this.#used.delete(irq);
  }
}
