/**
 * What only s390 machines have, from a tree: adapters and subchannels.
 *
 * The tree shows which queues a mediated device's guest has, not which the host has beside; where there is no
 * /sys/bus/ap to say so, the host has what guests show, and may have every number.
 * @module
 */

import { apTypeOf } from '../drivers/ap-type.js';
import { apNumbers, parseApMask } from '../drivers/ap-mask.js';
import type { FixtureInput } from './fixture.js';
import { parentOf, type Tree } from './tree.js';

type Ap = NonNullable<FixtureInput['ap']>;
type ApAdapter = Exclude<NonNullable<Ap['adapters']>[number], number>;
type Css = NonNullable<FixtureInput['css']>;

const AP = '/sys/bus/ap';
const CSS_ID = /^0\.[0-3]\.[0-9a-f]{4}$/;

const unique = (numbers: readonly number[]) => [...new Set(numbers)].sort((a, b) => a - b);

/** The adapters of a machine that has loaded vfio_ap. */
export function apOf(tree: Tree): Ap | undefined {
  const matrix = '/sys/devices/vfio_ap/matrix';
  if (!tree.dir(matrix)) return undefined;
  const guests = tree
    .names('/sys/bus/mdev/devices')
    .flatMap((uuid) => tree.target(`/sys/bus/mdev/devices/${uuid}`) ?? [])
    .filter((path) => parentOf(path) === matrix);
  const queues = guests.flatMap((path) => (tree.text(`${path}/guest_matrix`) ?? '').split('\n'));
  const half = (index: number) =>
    queues.map((queue) => queue.split('.')[index]).flatMap((hex) => (hex ? Number.parseInt(hex, 16) : []));
  const cards = cardsOf(tree);
  const known = new Set(cards.map(({ id }) => id));
  const mask = (name: string) => {
    const text = tree.text(`${AP}/${name}`);
    return text === undefined || !/^0x[0-9a-f]{1,64}$/i.test(text) ? undefined : text;
  };
  const numbers = (name: string) => {
    const text = mask(name);
    return text === undefined ? [] : apNumbers(parseApMask(text));
  };
  const max = (name: string) => {
    const text = tree.text(`${AP}/${name}`);
    return text === undefined || !/^\d{1,3}$/.test(text) ? undefined : Number(text);
  };
  return {
    ...(max('ap_max_adapter_id') !== undefined && { maxAdapter: max('ap_max_adapter_id') }),
    ...(max('ap_max_domain_id') !== undefined && { maxDomain: max('ap_max_domain_id') }),
    adapters: [...cards, ...unique(half(0)).filter((id) => !known.has(id))],
    domains: unique([...numbers('ap_usage_domain_mask'), ...half(1)]),
    controlDomains: numbers('ap_control_domain_mask'),
    ...(mask('apmask') !== undefined && { apmask: mask('apmask') }),
    ...(mask('aqmask') !== undefined && { aqmask: mask('aqmask') }),
  };
}

/** The cards of a machine, as far as their files tell of them. */
function cardsOf(tree: Tree): ApAdapter[] {
  return tree.names(`${AP}/devices`).flatMap((name) => {
    const card = /^card([0-9a-f]{2})$/.exec(name)?.[1];
    if (card === undefined) return [];
    const path = tree.target(`${AP}/devices/${name}`);
    const text = (file: string) => tree.text(`${path}/${file}`) ?? '';
    const functions = text('ap_functions');
    const hasFunctions = /^0x[0-9A-F]{8}$/i.test(functions);
    const type = apTypeOf(Number(text('hwtype')), hasFunctions ? Number(functions) : 0);
    const depth = text('depth');
    const serial = text('serialnr');
    return {
      id: Number.parseInt(card, 16),
      ...(type && { type: type.name }),
      ...(/^\d+$/.test(depth) && Number(depth) <= 15 && { depth: Number(depth) }),
      ...(hasFunctions && Number(functions) !== type?.functions && { functions }),
      ...(serial !== '' && serial.length <= 16 && { serial }),
    };
  });
}

/** The channel subsystem. */
export function cssOf(tree: Tree): Css | undefined {
  const css = '/sys/devices/css0';
  if (!tree.dir(css)) return undefined;
  const ids = tree.dirNames(css).filter((name) => CSS_ID.test(name) && tree.has(`${css}/${name}/chpids`));
  return {
    subchannels: ids.map((id) => {
      const text = (file: string) => tree.text(`${css}/${id}/${file}`) ?? '';
      const device = text('dev_busid');
      const override = text('driver_override');
      const paths = Number.parseInt(text('pimpampom').split(' ')[0] ?? '0', 16) || 0;
      const count = paths.toString(2).replace(/0+$/, '').length;
      const chpids = text('chpids')
        .trim()
        .split(/\s+/)
        .slice(0, paths === 0 ? 0 : count);
      return {
        id,
        ...(CSS_ID.test(device) && { device }),
        chpids: chpids.map((hex) => Number.parseInt(hex, 16)),
        ...(!['', '(null)'].includes(override) && { driverOverride: override }),
      };
    }),
  };
}

/** Whether vfio_ccw has any of the subchannels. */
export const hasCcwParents = (tree: Tree, { subchannels = [] }: Css): boolean =>
  subchannels.some(({ id }) => tree.dir(`/sys/devices/css0/${id}/mdev_supported_types`));
