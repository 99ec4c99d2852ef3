/**
 * The host's drivers of cards and queues (drivers/s390/crypto/zcrypt_cex4.c, zcrypt_card.c, zcrypt_queue.c): `cex4card`
 * has every card, `cex4queue` the queues that the masks of the bus keep for the host.
 *
 * Differs: they are part of the kernel. Nobody asks a card, so files that show its answers (master keys, firmware, modes of
 * operation) are as for one that does not answer. The device node of zcrypt is not there.
 * @module
 */

import type { Bus } from '../base/bus.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import { type ApCard, type ApQueue, parseSwitch } from './ap-device.js';
import { ApDriver } from './ap-driver.js';
import type { ApMode } from './ap-type.js';

/** What a driver keeps with a card or a queue. */
interface Zcrypt {
  online: boolean;
}

const zcrypt = ({ driverData }: ApCard | ApQueue) => driverData as Zcrypt;
const isOnline = (device: ApCard | ApQueue) => device.config && zcrypt(device).online;

function setOnline(device: ApCard | ApQueue, online: boolean): void {
  zcrypt(device).online = online;
  device.uevent('change', [`ONLINE=${online ? 1 : 0}`]);
}

const load = { name: 'load', mode: 0o444, constant: true, show: () => '0\n' };

/** Files that only cards of some modes have, and what each shows while the card does not answer. */
const answers: Record<'card' | 'queue', Record<string, Partial<Record<ApMode, string>>>> = {
  card: {
    API_ordinalnr: { ep11: '\n' },
    FW_version: { ep11: '\n' },
    op_modes: { ep11: '\n' },
  },
  queue: {
    mkvps: {
      cca: ['AES', 'APKA', 'ASYM']
        .flatMap((key) => ['NEW', 'CUR', 'OLD'].map((age) => `${key} ${age}: - -\n`))
        .join(''),
      ep11: 'WK CUR: - -\nWK NEW: - -\n',
    },
    op_modes: { ep11: '\n' },
  },
};

/** The files of that kind, and which modes have them. */
function answerAttributes<T>(kind: 'card' | 'queue', modeOf: (device: T) => ApMode): Attribute<T>[] {
  return Object.entries(answers[kind]).map(([name, texts]) => ({
    name,
    mode: 0o444,
    constant: true,
    show: (device: T) => texts[modeOf(device)]!,
  }));
}

const hasAnswer = (kind: 'card' | 'queue', name: string, mode: ApMode) =>
  answers[kind][name] === undefined || answers[kind][name][mode] !== undefined;

const cardGroup = new AttributeGroup<ApCard>({
  attributes: [
    { name: 'type', mode: 0o444, constant: true, show: ({ type }) => `${type.name}\n` },
    {
      name: 'online',
      mode: 0o644,
      show: (card) => `${isOnline(card) ? 1 : 0}\n`,
      /** @throws ENODEV for a card that is off in the partition */
      store(card, text) {
        const online = parseSwitch(text);
        if (online && !card.config) throw new KernelError(Errno.ENODEV);
        setOnline(card, online);
        for (const queue of card.queues.values())
          if (isZcryptQueue(queue) && zcrypt(queue).online !== online) setOnline(queue, online);
      },
    },
    load,
    { name: 'serialnr', mode: 0o444, constant: true, show: ({ data }) => `${data.serial}\n` },
    ...answerAttributes<ApCard>('card', ({ type }) => type.mode),
  ],
  isVisible: ({ type }, { name }) =>
    name === 'serialnr' ? type.mode !== 'accel' : hasAnswer('card', name, type.mode),
});

const queueGroup = new AttributeGroup<ApQueue>({
  attributes: [
    {
      name: 'online',
      mode: 0o644,
      show: (queue) => `${isOnline(queue) ? 1 : 0}\n`,
      /** @throws ENODEV for one that is off in the partition, EINVAL while its card is offline */
      store(queue, text) {
        const online = parseSwitch(text);
        const { card, config } = queue;
        if (online && !(config && card.config)) throw new KernelError(Errno.ENODEV);
        if (online && !(card.driver && zcrypt(card).online)) throw new KernelError(Errno.EINVAL);
        setOnline(queue, online);
      },
    },
    load,
    ...answerAttributes<ApQueue>('queue', ({ card }) => card.type.mode),
  ],
  isVisible: ({ card }, { name }) => hasAnswer('queue', name, card.type.mode),
});

const QUEUE_DRIVER = 'cex4queue';
const isZcryptQueue = ({ driver }: ApQueue) => driver?.name === QUEUE_DRIVER;

const probe = (device: ApCard | ApQueue) => {
  device.driverData = { online: true } satisfies Zcrypt;
};

/** Both drivers, to be registered in this order. */
export function zcryptCex4(bus: Bus): ApDriver[] {
  return [
    new ApDriver<ApCard>(bus, { name: 'cex4card', drives: 'cards', devGroups: [cardGroup], probe }),
    new ApDriver<ApQueue>(bus, {
      name: QUEUE_DRIVER,
      drives: 'queues',
      isDefault: true,
      devGroups: [queueGroup],
      probe,
    }),
  ] as ApDriver[];
}
