/**
 * Mediated devices of a tree, as a fixture makes them at boot.
 * @module
 */

import { apMaskOf, formatApMask } from '../drivers/ap-mask.js';
import type { FixtureInput } from './fixture.js';
import { baseOf, parentOf, type Tree } from './tree.js';

export type MdevInput = NonNullable<FixtureInput['mdevs']>[number];

const DEVICES = '/sys/bus/mdev/devices';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Found extends MdevInput {
  path: string;
}

/**
 * The devices whose parents are modelled, in the order of their IOMMU groups; those without a driver last.
 * @param model what there is without them
 */
export function mdevsOf(tree: Tree, model: Tree): MdevInput[] {
  const found = tree.names(DEVICES).flatMap((uuid): Found[] => {
    const path = tree.target(`${DEVICES}/${uuid}`);
    const type = path && tree.targetName(`${path}/mdev_type`);
    if (!path || !type || !UUID.test(uuid) || !tree.dir(path)) return [];
    if (!model.dir(`${parentOf(path)}/mdev_supported_types/${type}`)) return [];
    const isBound = tree.has(`${path}/driver`);
    const numbers = isBound ? numbersOf(tree, path) : { unbound: true };
    return [{ path, uuid, parent: baseOf(parentOf(path)), type, ...numbers }];
  });
  const order = (mdev: Found) => (mdev.unbound ? Infinity : (mdev.iommuGroup ?? Infinity));
  found.sort((a, b) => order(a) - order(b) || (a.uuid < b.uuid ? -1 : 1) || 0);
  return withoutNatural(found, model).map(({ path, ...mdev }) => ({ ...mdev, ...assigned(tree, path) }));
}

function numbersOf(tree: Tree, path: string): Pick<MdevInput, 'iommuGroup' | 'vfioGroup' | 'vfioDevice'> {
  const group = tree.targetName(`${path}/iommu_group`);
  return { ...(group !== undefined && { iommuGroup: Number(group) }), ...vfioNumbers(tree, path) };
}

/** Numbers of a device that VFIO has; undefined for any other. */
export function vfioNumbers(
  tree: Tree,
  path: string,
): Pick<MdevInput, 'vfioGroup' | 'vfioDevice'> | undefined {
  const device = tree.dirNames(`${path}/vfio-dev`)[0];
  if (device === undefined) return undefined;
  const group = tree.targetName(`${path}/iommu_group`);
  const dev = group === undefined ? undefined : tree.text(`/sys/devices/virtual/vfio/${group}/dev`);
  return {
    ...(dev !== undefined && { vfioGroup: Number(dev.split(':')[1]) }),
    vfioDevice: Number(device.replace('vfio', '')),
  };
}

/** Leaves out numbers that a device gets anyway: the lowest that are free. */
function withoutNatural(mdevs: readonly Found[], model: Tree): Found[] {
  const devices = model
    .names('/sys/class/vfio-dev')
    .map((name) => model.target(`/sys/class/vfio-dev/${name}`)!);
  const others = devices.map((path) => vfioNumbers(model, parentOf(parentOf(path))) ?? {});
  const used = {
    iommuGroup: new Set(model.dirNames('/sys/kernel/iommu_groups').map(Number)),
    vfioGroup: new Set(others.map(({ vfioGroup }) => vfioGroup)),
    vfioDevice: new Set(others.map(({ vfioDevice }) => vfioDevice)),
  };
  return mdevs.map((mdev) => {
    const left = { ...mdev };
    for (const key of ['iommuGroup', 'vfioGroup', 'vfioDevice'] as const) {
      let lowest = 0;
      while (used[key].has(lowest)) lowest++;
      used[key].add(mdev[key] ?? lowest);
      if (mdev[key] === lowest) delete left[key];
    }
    return left;
  });
}

/** What is assigned to a matrix of adapters. */
function assigned(tree: Tree, path: string): Pick<MdevInput, 'attributes'> {
  const config = tree.text(`${path}/ap_config`) ?? assignedOf(tree, path);
  if (config === undefined || !/[1-9a-f]/i.test(config.replaceAll('0x', ''))) return {};
  return { attributes: { ap_config: config } };
}

/** The same from what kernels before 6.10 have. */
function assignedOf(tree: Tree, path: string): string | undefined {
  const lines = (file: string) => (tree.text(`${path}/${file}`) ?? '').split('\n').filter(Boolean);
  if (!tree.has(`${path}/assign_adapter`)) return undefined;
  const queues = lines('matrix').map((line) => line.split('.'));
  const half = (index: number) => queues.map((queue) => queue[index] ?? '');
  const mask = (numbers: readonly string[]) =>
    formatApMask(apMaskOf(numbers.filter(Boolean).map((hex) => Number.parseInt(hex, 16))));
  return [mask(half(0)), mask(half(1)), mask(lines('control_domains'))].join(',');
}

/** Majors of the VFIO drivers, where they are not the first two. */
export function majorsOf(tree: Tree): Record<string, number> {
  const major = (path: string, usual: number) => {
    const first = tree.names(path).find((name) => /^\d+$|^vfio\d+$/.test(name));
    const dir = first === undefined ? undefined : tree.target(`${path}/${first}`);
    const number = Number(tree.text(`${dir}/dev`)?.split(':')[0] ?? usual);
    return number === usual || !(number >= 1 && number <= 511) ? undefined : number;
  };
  const vfio = major('/sys/class/vfio', 254);
  const device = major('/sys/class/vfio-dev', 253);
  return { ...(vfio !== undefined && { vfio }), ...(device !== undefined && { 'vfio-dev': device }) };
}
