/**
 * Virtual functions of a tree: they come with their physical function, as long as that has a driver.
 * @module
 */

import type { FixtureInput } from './fixture.js';
import { baseOf, type Tree } from './tree.js';

type FunctionInput = NonNullable<NonNullable<FixtureInput['pci']>['functions']>[number];
export type SriovInput = NonNullable<FunctionInput['sriov']>;

const DEVICES = '/sys/bus/pci/devices';
const EXTENDED = 0x100;
const CAP_ID_SRIOV = 0x10;
/** Identity, command and base addresses, which follow from the physical function. */
const HEADER = 0x06;

/** Whether a function comes with another that is described. */
export function isVirtualFunction(tree: Tree, path: string): boolean {
  const physical = tree.target(`${path}/physfn`);
  if (physical === undefined || !tree.has(`${physical}/driver`)) return false;
  return sriovOf(tree, physical, Buffer.from(tree.bytes(`${physical}/config`) ?? [])) !== undefined;
}

/** The same by its address. */
export function isVirtualAddress(tree: Tree, address: string): boolean {
  const path = tree.target(`${DEVICES}/${address}`);
  return path !== undefined && isVirtualFunction(tree, path);
}

/** Where the capability stands in configuration space. */
function capabilityOf(config: Buffer): number | undefined {
  const seen = new Set<number>();
  for (let at = EXTENDED; at >= EXTENDED && at + 4 <= config.length && !seen.has(at); ) {
    seen.add(at);
    const header = config.readUInt32LE(at);
    if ((header & 0xffff) === CAP_ID_SRIOV) return at;
    at = (header >>> 20) & 0xffc;
  }
  return undefined;
}

/** What a physical function says of its virtual ones; undefined for one that can have none. */
export function sriovOf(tree: Tree, path: string, config: Buffer): SriovInput | undefined {
  const number = (file: string) => {
    const text = tree.text(`${path}/${file}`);
    return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;
  };
  const totalVfs = number('sriov_totalvfs');
  const capability = capabilityOf(config);
  const vfDevice = tree.text(`${path}/sriov_vf_device`);
  if (totalVfs === undefined || totalVfs < 1 || totalVfs > 255 || capability === undefined) return undefined;
  if (vfDevice === undefined || !/^[0-9a-f]{1,4}$/.test(vfDevice) || config.length < 4096) return undefined;
  const [offset, stride] = [number('sriov_offset') ?? 0, number('sriov_stride') ?? 0];
  if (offset < 1 || offset > 255 || stride > 255) return undefined;
  const numVfs = tree.has(`${path}/driver`) ? Math.min(number('sriov_numvfs') ?? 0, totalVfs) : 0;
  const first = tree.target(`${path}/virtfn0`);
  const file = first === undefined ? undefined : tree.find(`${first}/config`);
  const virtual = Buffer.from(file?.kind === 'file' ? (file.content ?? []) : []);
  virtual.fill(0, 0, Math.min(HEADER, virtual.length));
  return {
    totalVfs,
    numVfs,
    offset,
    stride: Math.max(stride, 1),
    vfDevice: vfDevice.padStart(4, '0'),
    capability: capability.toString(16),
    totalMsix: number('sriov_vf_total_msix') ?? 0,
    config: virtual.toString('hex').replace(/(00)+$/, ''),
    configSize: file?.kind === 'file' && file.size === 256 ? 256 : 4096,
  };
}

/** The GPU that a parent is a part of: its physical function, or itself. */
export const gpuOf = (tree: Tree, path: string): string => baseOf(tree.target(`${path}/physfn`) ?? path);
