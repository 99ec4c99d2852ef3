/**
 * The AP configuration of a host: which adapters and domains its partition has, and which of them its own driver keeps
 * (the masks /sys/bus/ap/apmask and aqmask).
 * @module
 */

import { type ApMask, apMaskOf, parseApMask } from './ap-mask.js';

/** As a fixture says it. */
export interface ApData {
  /** Highest number of an adapter that the machine can have. */
  maxAdapter: number;
  maxDomain: number;
  adapters: readonly number[];
  domains: readonly number[];
  controlDomains: readonly number[];
  /** Masks of what the host's driver keeps. */
  apmask: string;
  aqmask: string;
}

export class ApConfig {
  readonly maxAdapter: number;
  readonly maxDomain: number;
  readonly adapters: ApMask;
  readonly domains: ApMask;
  readonly controlDomains: ApMask;
  readonly #apmask: ApMask;
  readonly #aqmask: ApMask;

  constructor(data: ApData) {
    this.maxAdapter = data.maxAdapter;
    this.maxDomain = data.maxDomain;
    this.adapters = apMaskOf(data.adapters);
    this.domains = apMaskOf(data.domains);
    this.controlDomains = apMaskOf(data.controlDomains);
    this.#apmask = parseApMask(data.apmask);
    this.#aqmask = parseApMask(data.aqmask);
  }

  /** Whether any queue of these adapters and domains belongs to the host's own driver. */
  reserves(apm: ApMask, aqm: ApMask): boolean {
    return (apm & this.#apmask) !== 0n && (aqm & this.#aqmask) !== 0n;
  }
}
