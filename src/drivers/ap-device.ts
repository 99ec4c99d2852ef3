/**
 * Devices of the AP bus (drivers/s390/crypto/ap_card.c, ap_queue.c): adapters, which are cards, and below each a queue for
 * every domain that the host can use.
 *
 * Differs: no request comes to a queue, so counts stay 0. A card is never in the checkstop state.
 * @module
 */

import type { Bus } from '../base/bus.js';
import type { DriverCore } from '../base/core.js';
import type { Device } from '../base/device.js';
import { NamedDevice } from '../base/named-device.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring } from '../lib/kstrtox.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { ApAdapterData } from './ap-config.js';
import { type ApType, apType } from './ap-type.js';

/** Bytes of a message to a card that says nothing of it. */
const AP_DEFAULT_MAX_MSG_SIZE = 12288;

export const hexNumber = (number: number, digits: number) => number.toString(16).padStart(digits, '0');

/** Reads a number as sscanf(3) does with `%d`. @throws EINVAL for one that is neither 0 nor 1 */
export function parseSwitch(text: string): boolean {
  const digit = /^\s*[+-]?0*([01])(?!\d)/.exec(cstring(text))?.[1];
  if (digit === undefined || /^\s*-0*1/.test(text)) throw new KernelError(Errno.EINVAL);
  return digit === '1';
}

const zero = <T>(name: string): Attribute<T> => ({ name, mode: 0o444, constant: true, show: () => '0\n' });

/** Counts requests since somebody wrote to it. */
const requestCount = <T extends { requests: string }>(): Attribute<T> => ({
  name: 'request_count',
  mode: 0o644,
  show: ({ requests }) => `${requests}\n`,
  store: () => {},
});

export const cardName = (id: number) => `card${hexNumber(id, 2)}`;

export class ApCard extends NamedDevice {
  readonly type: ApType;
  readonly functions: number;
  readonly queues = new Map<number, ApQueue>();
  /** Whether it is configured on in the partition. */
  config = true;
  readonly requests = '0';

  constructor(
    core: DriverCore,
    bus: Bus,
    parent: Device,
    readonly data: ApAdapterData,
  ) {
    super(core, cardName(data.id), { parent, bus, groups: [cardGroup] });
    this.type = apType(data.type);
    this.functions = data.functions ?? this.type.functions;
  }

  get modalias(): string {
    return `ap:t${hexNumber(this.type.hwtype, 2).toUpperCase()}`;
  }

  override ueventVariables(): string[] {
    const { type, modalias } = this;
    const hwtype = hexNumber(type.hwtype, 4).toUpperCase();
    return [
      'DEVTYPE=ap_card',
      ...super.ueventVariables(),
      `DEV_TYPE=${hwtype}`,
      `MODALIAS=${modalias}`,
      `MODE=${type.mode}`,
    ];
  }

  /** Switches it on or off in the partition, and with it its queues. */
  configure(on: boolean): void {
    const queues = [...this.queues.values()].filter(({ config }) => config !== on);
    this.config = on;
    for (const device of [this, ...queues]) {
      device.config = on;
      device.uevent('change', [`CONFIG=${on ? 1 : 0}`]);
    }
  }
}

const hexFunctions = (functions: number) => `0x${hexNumber(functions, 8).toUpperCase()}\n`;

const cardGroup = new AttributeGroup<ApCard>({
  attributes: [
    { name: 'hwtype', mode: 0o444, constant: true, show: ({ type }) => `${type.hwtype}\n` },
    { name: 'raw_hwtype', mode: 0o444, constant: true, show: ({ type }) => `${type.hwtype}\n` },
    { name: 'depth', mode: 0o444, constant: true, show: ({ data }) => `${data.depth}\n` },
    {
      name: 'ap_functions',
      mode: 0o444,
      constant: true,
      show: ({ functions }) => hexFunctions(functions),
    },
    requestCount(),
    zero('requestq_count'),
    zero('pendingq_count'),
    { name: 'modalias', mode: 0o444, constant: true, show: ({ modalias }) => `${modalias}\n` },
    {
      name: 'config',
      mode: 0o644,
      show: ({ config }) => `${config ? 1 : 0}\n`,
      store: (card, text) => card.configure(parseSwitch(text)),
    },
    zero('chkstop'),
    { name: 'max_msg_size', mode: 0o444, constant: true, show: () => `${AP_DEFAULT_MAX_MSG_SIZE}\n` },
  ],
});

export class ApQueue extends NamedDevice {
  config: boolean;
  /** Whether it has been made ready for requests of the host, and not been taken from a driver since. */
  initiated = true;

  constructor(
    readonly card: ApCard,
    readonly domain: number,
  ) {
    const { core, data } = card;
    super(core, `${hexNumber(data.id, 2)}.${hexNumber(domain, 4)}`, {
      parent: card,
      bus: card.bus!,
      groups: [queueGroup],
    });
    this.config = card.config;
  }

  get adapter(): number {
    return this.card.data.id;
  }

  get requests(): string {
    return this.initiated ? '0' : '-';
  }

  override ueventVariables(): string[] {
    return ['DEVTYPE=ap_queue', ...super.ueventVariables(), `MODE=${this.card.type.mode}`];
  }
}

const queueGroup = new AttributeGroup<ApQueue>({
  attributes: [
    requestCount(),
    zero('requestq_count'),
    zero('pendingq_count'),
    { name: 'reset', mode: 0o644, show: () => 'No Reset Timer set.\n', store: () => {} },
    {
      name: 'interrupt',
      mode: 0o444,
      show: ({ initiated }) => `Interrupts ${initiated ? 'enabled' : 'disabled'}.\n`,
    },
    { name: 'config', mode: 0o444, show: ({ config }) => `${config ? 1 : 0}\n` },
    zero('chkstop'),
    {
      name: 'ap_functions',
      mode: 0o444,
      constant: true,
      show: ({ card }) => hexFunctions(card.functions),
    },
  ],
});
