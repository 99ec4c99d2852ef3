/**
 * The AP configuration of a host (`struct ap_config_info` and `ap_perms` of drivers/s390/crypto/ap_bus.c): which
 * adapters and domains its partition has, and which of them its own drivers keep.
 * @module
 */

import { type ApMask, apBit, apMaskOf, formatApMask, parseApMask } from './ap-mask.js';
import type { ApTypeName } from './ap-type.js';

/** An adapter as a fixture says it. */
export interface ApAdapterData {
  id: number;
  type: ApTypeName;
  /** How many requests a queue of it takes, less one. */
  depth: number;
  /** Facility bits; undefined for those that its type has. */
  functions?: number | undefined;
  serial: string;
}

/** As a fixture says it. */
export interface ApData {
  /** Highest number of an adapter that the machine can have. */
  maxAdapter: number;
  maxDomain: number;
  adapters: readonly ApAdapterData[];
  domains: readonly number[];
  controlDomains: readonly number[];
  /** Masks of what the host's drivers keep. */
  apmask: string;
  aqmask: string;
}

export class ApConfig {
  readonly maxAdapter: number;
  readonly maxDomain: number;
  adapters: ApMask;
  domains: ApMask;
  controlDomains: ApMask;
  /** Queues of these adapters with these domains are for the host's own drivers. */
  apmask: ApMask;
  aqmask: ApMask;

  constructor(data: ApData) {
    this.maxAdapter = data.maxAdapter;
    this.maxDomain = data.maxDomain;
    this.adapters = apMaskOf(data.adapters.map(({ id }) => id));
    this.domains = apMaskOf(data.domains);
    this.controlDomains = apMaskOf(data.controlDomains);
    this.apmask = parseApMask(data.apmask);
    this.aqmask = parseApMask(data.aqmask);
  }

  /** Both masks as text. */
  get texts(): Pick<ApData, 'apmask' | 'aqmask'> {
    return { apmask: formatApMask(this.apmask), aqmask: formatApMask(this.aqmask) };
  }

  /** Whether any queue of these adapters and domains is for the host's own drivers. */
  reserves(apm: ApMask, aqm: ApMask): boolean {
    return (apm & this.apmask) !== 0n && (aqm & this.aqmask) !== 0n;
  }

  /** The same for one queue. */
  reservesQueue(adapter: number, domain: number): boolean {
    return this.reserves(apBit(adapter), apBit(domain));
  }
}
