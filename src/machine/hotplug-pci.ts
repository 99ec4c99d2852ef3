/**
 * PCI slots of a host: functions that are pulled, with all behind them, and come back as they were when they were new.
 * @module
 */

import { after, type Sleeps } from '../lib/sleep.js';
import type { PciFunctionFixture } from './fixture-pci.js';
import type { PciHost } from './host-pci.js';

export class PciSlots {
  /** What left its slot, in the order of a scan, by the function that was pulled. */
  readonly #unplugged = new Map<string, readonly PciFunctionFixture[]>();

  constructor(readonly host: () => PciHost | undefined) {}

  get unplugged(): readonly string[] {
    return [...this.#unplugged.keys()];
  }

  /** Whether a function is in its slot. */
  has(address: string): boolean {
    return this.host()?.bus.functions.some((each) => each.address === address) ?? false;
  }

  /** Whether the kernel has it; it may have been told to forget it. */
  isFound(address: string): boolean {
    return this.host()?.bus.device(address) !== undefined;
  }

  rescan(): Sleeps<void> {
    return this.host()!.bus.rescanLocked();
  }

  /** The slot is empty at once, so that nobody finds the function again; its device goes when it can. */
  unplug(address: string): Sleeps<void> {
    const { bus, descriptions } = this.host()!;
    const out = bus.eject(address).map((each) => descriptions.get(each.address)!);
    this.#unplugged.set(address, out);
    const device = bus.device(address);
    return device && bus.stopAndRemoveLocked(device);
  }

  plug(address: string): Sleeps<void> {
    return this.insert(this.#unplugged.get(address)!);
  }

  /** Something else is going to be in these slots. */
  forget(functions: readonly PciFunctionFixture[]): void {
    for (const { address } of functions) this.#unplugged.delete(address);
  }

  insert(functions: readonly PciFunctionFixture[]): Sleeps<void> {
    if (functions.length === 0) return;
    this.forget(functions);
    const { bus } = this.host()!;
    for (const { numaNode } of functions) if (numaNode >= 0) bus.numaNodes.add(numaNode);
    this.host()!.insert(functions);
    return after(bus.rescanLocked(), () => {});
  }

  /** What left its slot, by the function that was pulled. */
  get out(): ReadonlyMap<string, readonly PciFunctionFixture[]> {
    return this.#unplugged;
  }

  /** Takes functions to be unplugged that have not been in a slot since the boot, or are not any more. */
  setOut(out: Iterable<readonly [string, readonly PciFunctionFixture[]]>): void {
    this.#unplugged.clear();
    for (const [address, functions] of out) this.#unplugged.set(address, functions);
  }
}
