/**
 * Parts of a fixture that stand for many: each copy has the next number, address, memory range or UUID.
 * @module
 */

import { formatResource, parseResource, resourceSize } from '../pci/resource.js';
import type { Path } from './fixture-fault.js';
import type { PciFunctionFixture, PciRootFixture, PciStep } from './fixture-pci.js';
import type { Fixture } from './fixture-schema.js';

/** A fixture in which everything stands for itself. */
export interface Expanded {
  fixture: Fixture;
  /** Where in the fixture as it was written the part at a path came from. */
  origin(path: Path): Path;
}

const SHIFTS: Record<PciStep, number> = { function: 0, slot: 3, bus: 8, domain: 16 };
const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** An address with a number of steps added; what is too much for a part carries into the one before it. */
function addressAfter(address: string, step: PciStep, count: number): string {
  const [domain = '', bus = '', slot = '', number = ''] = address.split(/[:.]/);
  const devfn = (Number.parseInt(slot, 16) << 3) | Number(number);
  const all = Number.parseInt(domain, 16) * 2 ** 16 + Number.parseInt(bus, 16) * 2 ** 8 + devfn;
  const moved = all + count * 2 ** SHIFTS[step];
  const [low, high] = [moved % 2 ** 16, Math.floor(moved / 2 ** 16)];
  return `${hex(high, 4)}:${hex(low >> 8, 2)}:${hex((low >> 3) & 0x1f, 2)}.${low & 7}`;
}

/** The range that comes after a number of ranges of the same size. */
function rangeAfter(line: string, count: number): string {
  const range = parseResource(line);
  const by = BigInt(resourceSize(range)) * BigInt(count);
  return formatResource({ ...range, start: range.start + by, end: range.end + by });
}

function functionAfter(first: PciFunctionFixture, count: number): PciFunctionFixture {
  const { address, step = 'slot', resources, iommuGroup } = first;
  return {
    ...first,
    address: addressAfter(address, step, count),
    resources: resources.map((line) => rangeAfter(line, count)),
    ...(iommuGroup !== undefined && { iommuGroup: iommuGroup + count }),
  };
}

function rootAfter(first: PciRootFixture, count: number): PciRootFixture {
  return { ...first, bus: addressAfter(`${first.bus}:00.0`, first.step ?? 'bus', count).slice(0, 7) };
}

/** A UUID whose last 12 digits are counted on. */
function uuidAfter(uuid: string, count: number): string {
  const last = (BigInt(`0x${uuid.slice(24)}`) + BigInt(count)) % 2n ** 48n;
  return `${uuid.slice(0, 24)}${last.toString(16).padStart(12, '0')}`;
}

/** `0.SET.NUMBER` counted on. */
const channelAfter = (id: string, count: number) =>
  `${id.slice(0, 4)}${hex(Number.parseInt(id.slice(4), 16) + count, 4)}`;

export function expandFixture(fixture: Fixture): Expanded {
  const origins = new Map<string, number[]>();
  const expand = <T extends { repeat?: number | undefined }>(
    list: string,
    items: readonly T[],
    nth: (item: T, count: number) => T,
  ) => {
    const from: number[] = [];
    origins.set(list, from);
    return items.flatMap((item, index) =>
      Array.from({ length: item.repeat ?? 1 }, (_, count) => {
        from.push(index);
        return item.repeat === undefined ? item : { ...nth(item, count), repeat: undefined };
      }),
    );
  };
  const { pci, iommu, css, mdevs } = fixture;
  return {
    fixture: {
      ...fixture,
      iommu: {
        ...iommu,
        groups: expand('iommu.groups', iommu.groups, (group, count) => ({ ...group, id: group.id + count })),
      },
      ...(pci && {
        pci: {
          ...pci,
          roots: expand('pci.roots', pci.roots, rootAfter),
          functions: expand('pci.functions', pci.functions, functionAfter),
        },
      }),
      ...(css && {
        css: {
          ...css,
          subchannels: expand('css.subchannels', css.subchannels, (subchannel, count) => ({
            ...subchannel,
            id: channelAfter(subchannel.id, count),
            ...(subchannel.device !== undefined && { device: channelAfter(subchannel.device, count) }),
          })),
        },
      }),
      mdevs: expand('mdevs', mdevs, (mdev, count) => ({ ...mdev, uuid: uuidAfter(mdev.uuid, count) })),
    },
    origin(path) {
      const at = path.findIndex((step) => typeof step === 'number');
      const from = origins.get(path.slice(0, at).join('.'))?.[path[at] as number];
      return from === undefined ? path : [...path.slice(0, at), from, ...path.slice(at + 1)];
    },
  };
}
