/**
 * The AP bus of s390 (drivers/s390/crypto/ap_bus.c): cards and queues below one device, and the masks by which the host's
 * drivers have queues or leave them to `vfio_ap`.
 *
 * Differs: it is scanned when something changes and when `scans` is written, not every half minute. A queue without a
 * driver is offered to one when the masks change. Masks in uevents have no newline at their end.
 * @module
 */

import { Bus } from '../base/bus.js';
import type { DriverCore } from '../base/core.js';
import { deviceAttach, deviceDetach, removeAnyway } from '../base/dd.js';
import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import type { Slot } from '../base/slot.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, eachInTurn, type Sleeps } from '../lib/sleep.js';
import { apBusAttributes } from './ap-bus-attribute.js';
import { type ApAdapterData, ApConfig, type ApData } from './ap-config.js';
import { ApCard, ApQueue, cardName } from './ap-device.js';
import type { ApDriver } from './ap-driver.js';
import { type ApMask, apBit, apMaskOf, apNumbers, formatApMask } from './ap-mask.js';
import { zcryptCex4 } from './zcrypt-cex4.js';

/** It comes to the bus once it is there: without a link to it, and its first uevent is one of the bus's own. */
class ApRoot extends NamedDevice {
  isOnBus = false;

  override get subsystem(): string | undefined {
    return this.isOnBus ? 'ap' : undefined;
  }
}

export class ApBus {
  readonly bus: Bus;
  readonly config: ApConfig;
  readonly cards = new Map<number, ApCard>();
  /** The domain that requests go to unless they say otherwise; -1 for none. */
  defaultDomain = -1;
  scans = 0;
  readonly #root: ApRoot;
  readonly #adapters = new Map<number, ApAdapterData>();
  /** Whether every queue had a driver when that was last looked at. */
  #complete = false;
  #completions = 0;

  constructor(
    readonly core: DriverCore,
    data: ApData,
  ) {
    this.config = new ApConfig({ ...data, adapters: [] });
    this.bus = new Bus(core, 'ap', {
      groups: [apBusAttributes(this)],
      match: (device, driver) =>
        (device instanceof ApCard ? 'cards' : 'queues') === (driver as ApDriver).ap.drives,
      probe: (device) => this.#probe(device),
      remove: (device) => this.#remove(device),
    }).register();
    this.#root = new ApRoot(core, 'ap', {});
    this.#root.add();
    this.#root.isOnBus = true;
    for (const driver of zcryptCex4(this.bus)) driver.register();
    this.add(data);
    this.#root.uevent('change', ['INITSCAN=done']);
    this.checkBindings();
  }

  get queues(): readonly ApQueue[] {
    return [...this.cards.values()].flatMap(({ queues }) => [...queues.values()]);
  }

  /** Adds adapters and domains that it has not. */
  add({ adapters, domains, controlDomains }: ApData): void {
    const { config, core } = this;
    config.domains |= apMaskOf(domains);
    config.controlDomains |= apMaskOf(controlDomains);
    for (const data of adapters) {
      if (this.#adapters.has(data.id)) continue;
      this.#adapters.set(data.id, data);
      config.adapters |= apBit(data.id);
      core.slots.set(cardName(data.id), this.#slot(data.id));
    }
    void this.scan();
  }

  /** An adapter that leaves the configuration of the partition and comes back. */
  #slot(id: number): Slot {
    const { cards, config } = this;
    const change = (adapters: ApMask) => {
      config.adapters = adapters;
      return this.scan();
    };
    return {
      get occupied() {
        return cards.has(id);
      },
      plug: () => change(config.adapters | apBit(id)),
      unplug: () => change(config.adapters & ~apBit(id)),
    };
  }

  /** Makes what is new in the configuration, and takes away what has left it (`ap_scan_bus`). */
  scan(): Sleeps<void> {
    const { config, cards } = this;
    const domains = apNumbers(config.domains);
    this.defaultDomain = this.#isUsable(this.defaultDomain)
      ? this.defaultDomain
      : (domains.find((domain) => this.#isUsable(domain)) ?? -1);
    const isThere = (id: number) => (config.adapters & apBit(id)) !== 0n && domains.length > 0;
    const gone = [...cards.values()].filter(({ data }) => !isThere(data.id));
    for (const data of this.#adapters.values()) if (isThere(data.id)) this.#scanCard(data, domains);
    return after(
      eachInTurn(gone, (card) => this.#removeCard(card)),
      () => {
        this.scans++;
        if (this.scans > 1) this.checkBindings();
      },
    );
  }

  #isUsable(domain: number): boolean {
    return domain >= 0 && (apBit(domain) & this.config.domains & this.config.aqmask) !== 0n;
  }

  #scanCard(data: ApAdapterData, domains: readonly number[]): void {
    let card = this.cards.get(data.id);
    if (!card) {
      card = new ApCard(this.core, this.bus, this.#root, data);
      this.cards.set(data.id, card);
      card.add();
    }
    for (const domain of domains) {
      if (card.queues.has(domain)) continue;
      const queue = new ApQueue(card, domain);
      card.queues.set(domain, queue);
      queue.add();
    }
  }

  #removeCard(card: ApCard): Sleeps<void> {
    const remove = (device: Device) => after(removeAnyway(device), () => device.del());
    const queues = [...card.queues.values()];
    return after(
      eachInTurn(queues, (queue) => remove(queue)),
      () =>
        after(remove(card), () => {
          card.queues.clear();
          this.cards.delete(card.data.id);
        }),
    );
  }

  /** @throws ENODEV for a queue that is not for this driver */
  #probe(device: Device): void {
    const { ap } = device.driver as ApDriver;
    if (device instanceof ApQueue && this.#isReserved(device) !== (ap.isDefault ?? false))
      throw new KernelError(Errno.ENODEV);
    this.#complete = false;
    ap.probe?.(device);
    if (device instanceof ApQueue && ap.isDefault) device.initiated = true;
  }

  #remove(device: Device): Sleeps<void> {
    return after((device.driver as ApDriver).ap.remove?.(device), () => {
      if (device instanceof ApQueue) device.initiated = false;
    });
  }

  #isReserved({ adapter, domain }: ApQueue): boolean {
    return this.config.reservesQueue(adapter, domain);
  }

  /**
   * Replaces a mask. Queues that are for another driver then are taken from theirs and offered to it.
   * @throws EBUSY when a queue would come to the host that is given away
   */
  setMask(name: 'apmask' | 'aqmask', mask: ApMask): Sleeps<void> {
    const { config } = this;
    if (mask === config[name]) return;
    const added = mask & ~config[name];
    const reserved = { apmask: config.apmask, aqmask: config.aqmask, [name]: added };
    if (added !== 0n)
      for (const { ap } of this.bus.drivers.values() as Iterable<ApDriver>)
        if (ap.inUse?.(reserved.apmask, reserved.aqmask)) throw new KernelError(Errno.EBUSY);
    config[name] = mask;
    return after(
      eachInTurn(this.queues, (queue) => this.#revise(queue)),
      () => {
        this.#root.uevent('change', [`${name.toUpperCase()}=${formatApMask(mask)}`]);
        this.checkBindings();
      },
    );
  }

  #revise(queue: ApQueue): Sleeps<void> {
    const driver = queue.driver as ApDriver | undefined;
    if (driver && (driver.ap.isDefault ?? false) === this.#isReserved(queue)) return;
    return after(queue.driver && deviceDetach(queue), () => after(deviceAttach(queue), () => {}));
  }

  /** How many queues there are, and how many have a driver. */
  get bindings(): { bound: number; all: number } {
    const { queues } = this;
    return { bound: queues.filter(({ driver }) => driver).length, all: queues.length };
  }

  /** Announces that every queue has a driver, when that is new (`ap_check_bindings_complete`). */
  checkBindings(): void {
    const { bound, all } = this.bindings;
    if (this.#complete || bound < all) return;
    this.#complete = true;
    this.#completions++;
    this.#root.uevent('change', ['BINDINGS=complete', `COMPLETECOUNT=${this.#completions}`]);
  }
}
