/**
 * An eventfd of another process, by a descriptor of our own: what a device signals there, the process reads.
 * @module
 */

import { closeSync } from 'node:fs';
import { Eventfd } from '../base/eventfd.js';
import type { EventfdSignals } from './stub/eventfd-signals.js';
import type { Client } from './stub/stubs.js';

export class RemoteEventfd extends Eventfd {
  readonly #fd: number;

  /** @param fd ours to close; @param client whose it is */
  constructor(
    fd: number,
    readonly signals: EventfdSignals,
    readonly client: Client,
  ) {
    super();
    this.#fd = fd;
  }

  override signal(): void {
    this.signals.signal(this.#fd, this.client);
  }

  protected override release(): void {
    super.release();
    closeSync(this.#fd);
  }
}
