/**
 * The files of /sys/bus/ap (drivers/s390/crypto/ap_bus.c).
 *
 * Differs: what is about polling is kept, and does nothing.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { cstring, kstrtobool, kstrtoull } from '../lib/kstrtox.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { ApBus } from './ap-bus.js';
import { apBit, changeApMask, formatApMask } from './ap-mask.js';

/** Facilities of the machine that its configuration tells of. */
const FEATURES = 'APSC APXA QACT RC8A';
/** Nanoseconds: 120 seconds. */
const POLL_TIMEOUT_MAX = 120_000_000_000n;

const invalid = (): never => {
  throw new KernelError(Errno.EINVAL);
};

/** Reads a number as sscanf(3) does: what comes after it does not matter. */
function scan(text: string, pattern: RegExp): number {
  return Number(pattern.exec(cstring(text))?.[1] ?? Number.NaN);
}

export function apBusAttributes(ap: ApBus): AttributeGroup<unknown> {
  let configTime = 30;
  let pollTimeout = 250_000n;
  const fact = (name: string, show: () => unknown): Attribute<unknown> => ({
    name,
    mode: 0o444,
    show: () => `${show()}\n`,
  });
  const mask = (name: 'apmask' | 'aqmask'): Attribute<unknown> => ({
    name,
    mode: 0o644,
    show: () => `${formatApMask(ap.config[name])}\n`,
    store: (_, text) => ap.setMask(name, changeApMask(ap.config[name], text)),
  });
  return new AttributeGroup<unknown>({
    attributes: [
      {
        name: 'ap_domain',
        mode: 0o644,
        show: () => `${ap.defaultDomain}\n`,
        store(_, text) {
          const { maxDomain, aqmask } = ap.config;
          const domain = scan(text, /^\s*\+?(0x[0-9a-f]+|\d+)/i);
          if (!(domain <= maxDomain) || (aqmask & apBit(domain)) === 0n) invalid();
          ap.defaultDomain = domain;
        },
      },
      fact('ap_control_domain_mask', () => formatApMask(ap.config.controlDomains)),
      fact('ap_usage_domain_mask', () => formatApMask(ap.config.domains)),
      fact('ap_adapter_mask', () => formatApMask(ap.config.adapters)),
      {
        name: 'config_time',
        mode: 0o644,
        show: () => `${configTime}\n`,
        store(_, text) {
          const seconds = scan(text, /^\s*([+-]?\d+)/);
          if (!(seconds >= 5 && seconds <= 120)) invalid();
          configTime = seconds;
        },
      },
      {
        name: 'poll_thread',
        mode: 0o644,
        // With interrupts there is none, also when one is asked for.
        show: () => '0\n',
        store: (_, text) => void kstrtobool(text),
      },
      fact('ap_interrupts', () => 1),
      {
        name: 'poll_timeout',
        mode: 0o644,
        show: () => `${pollTimeout}\n`,
        store(_, text) {
          const nanoseconds = kstrtoull(text);
          if (nanoseconds > POLL_TIMEOUT_MAX) invalid();
          pollTimeout = nanoseconds;
        },
      },
      fact('ap_max_domain_id', () => ap.config.maxDomain),
      fact('ap_max_adapter_id', () => ap.config.maxAdapter),
      mask('apmask'),
      mask('aqmask'),
      { name: 'scans', mode: 0o644, show: () => `${ap.scans}\n`, store: () => ap.scan() },
      fact('bindings', () => {
        const { bound, all } = ap.bindings;
        return `${bound}/${all}${bound === all ? ' (complete)' : ''}`;
      }),
      fact('features', () => FEATURES),
    ],
  });
}
