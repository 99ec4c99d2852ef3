/**
 * The IOMMU of a tree as a part of a fixture: its units, and the groups of real devices.
 * @module
 */

import type { FixtureInput } from './fixture.js';
import type { Tree } from './tree.js';

type Iommu = NonNullable<FixtureInput['iommu']>;
type Group = NonNullable<Iommu['groups']>[number];
type DomainType = NonNullable<Group['type']>;

const GROUPS = '/sys/kernel/iommu_groups';
const TYPES: readonly string[] = ['identity', 'DMA', 'DMA-FQ', 'blocked', 'unmanaged'] satisfies DomainType[];

/**
 * Groups of mediated devices have the type `unknown`; they come with their devices, and so do those of virtual functions.
 * @param isVirtual whether a PCI function comes with another
 */
export function iommuOf(tree: Tree, isVirtual: (address: string) => boolean): Iommu {
  const units = tree.names('/sys/class/iommu').filter((name) => {
    return tree.target(`/sys/class/iommu/${name}`) === `/sys/devices/virtual/iommu/${name}`;
  });
  const ids = tree
    .dirNames(GROUPS)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const isOwn = (id: number) => {
    const devices = tree.names(`${GROUPS}/${id}/devices`);
    return devices.length === 1 && isVirtual(devices[0]!);
  };
  return {
    units: units.map((name) => ({ name })),
    groups: ids
      .sort((a, b) => a - b)
      .filter((id) => TYPES.includes(tree.text(`${GROUPS}/${id}/type`) ?? '') && !isOwn(id))
      .map((id) => ({
        id,
        type: tree.text(`${GROUPS}/${id}/type`) as DomainType,
        reservedRegions: (tree.text(`${GROUPS}/${id}/reserved_regions`) ?? '').split('\n').filter(Boolean),
      })),
  };
}
