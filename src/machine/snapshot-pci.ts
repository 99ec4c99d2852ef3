/**
 * The PCI bus of a tree as a part of a fixture: host bridges, functions, and the drivers that have them.
 * @module
 */

import type { ResetMethod } from '../pci/function.js';
import type { FixtureInput } from './fixture.js';
import { bindingOf } from './snapshot-binding.js';
import { vfioNumbers } from './snapshot-mdev.js';
import { isVirtualFunction, sriovOf } from './snapshot-sriov.js';
import { baseOf, parentOf, type Tree } from './tree.js';

export type PciInput = NonNullable<FixtureInput['pci']>;
type RootInput = NonNullable<PciInput['roots']>[number];
export type FunctionInput = NonNullable<PciInput['functions']>[number];
type DriverInput = NonNullable<PciInput['drivers']>[number];

const DEVICES = '/sys/bus/pci/devices';
const ADDRESS = /^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;
const ROOT = /^pci([0-9a-f]{4}:[0-9a-f]{2})$/;
const RESET_METHODS: readonly string[] = [
  'device_specific',
  'acpi',
  'flr',
  'af_flr',
  'pm',
  'bus',
  'cxl_bus',
] satisfies ResetMethod[];

const HEADER_TYPE = 0x0e;
const SECONDARY_BUS = 0x19;
const INTERRUPT_LINE = 0x3c;
const HEADER = 0x40;

/** A function of a tree, with what it takes to describe its driver. */
interface Found {
  address: string;
  path: string;
  config: Buffer;
  /** DOMAIN:BUS of the bus below a bridge. */
  below: string | undefined;
  driver: string | undefined;
}

const hexOf = (text: string | undefined, digits: number) => {
  const match = new RegExp(`^0x([0-9a-f]{${digits}})$`).exec(text ?? '');
  return match?.[1];
};

/** Addresses of functions with where they are, those that stand above others first. */
export function pciPaths(tree: Tree): Map<string, string> {
  const all = tree.names(DEVICES).flatMap((address): [string, string][] => {
    const path = tree.target(`${DEVICES}/${address}`);
    return path !== undefined && ADDRESS.test(address) && tree.dir(path) ? [[address, path]] : [];
  });
  return new Map(all.sort(([, a], [, b]) => (a < b ? -1 : 1)));
}

/** Functions that can be described: their ids are known, and the bridges above them are described too. */
function findFunctions(tree: Tree): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const [address, path] of pciPaths(tree)) {
    const ids = ['vendor', 'device', 'class'].map((file) => tree.text(`${path}/${file}`));
    if (!hexOf(ids[0], 4) || !hexOf(ids[1], 4) || !hexOf(ids[2], 6)) continue;
    if (isVirtualFunction(tree, path)) continue;
    const bus = address.slice(0, 7);
    const above = baseOf(parentOf(path));
    if (ROOT.exec(above)?.[1] !== bus && found.get(above)?.below !== bus) continue;
    const config = configOf(tree, path);
    const isBridge = ((config[HEADER_TYPE] ?? 0) & 0x7f) === 1;
    const below = isBridge
      ? `${bus.slice(0, 4)}:${config.toString('hex', SECONDARY_BUS, SECONDARY_BUS + 1)}`
      : undefined;
    found.set(address, { address, path, config, below, driver: tree.targetName(`${path}/driver`) });
  }
  return found;
}

/** Configuration space as far as it is known; of a bridge at least the bus below it. */
function configOf(tree: Tree, path: string): Buffer {
  const config = Buffer.from(tree.bytes(`${path}/config`) ?? []);
  if (config.length >= HEADER) return config;
  const below = tree.dirNames(path).find((name) => ADDRESS.test(name));
  if (below === undefined) return config;
  const header = Buffer.concat([config, Buffer.alloc(HEADER - config.length)]);
  header[HEADER_TYPE] = 1;
  header[SECONDARY_BUS] = Number.parseInt(below.slice(5, 7), 16);
  return header;
}

/**
 * Fills configuration spaces up that were not read whole: others than root see 64 bytes, and what is not known is 0.
 */
export function completeConfigs(tree: Tree): void {
  for (const path of pciPaths(tree).values()) {
    const file = tree.find(`${path}/config`);
    if (file?.kind !== 'file' || !file.content) continue;
    const size = file.unsure || file.size < 256 ? Math.max(256, file.content.length) : file.size;
    if (size > 4096 || file.content.length >= size) continue;
    const content = Buffer.alloc(size);
    content.set(file.content);
    file.content = content;
    file.size = size;
  }
}

/** Number of processors that a list such as "0-7" ends with. */
function cpusOf(list: string | undefined): number | undefined {
  const last = /(\d+)$/.exec(list ?? '')?.[1];
  return last === undefined ? undefined : Number(last) + 1;
}

export function pciCpus(tree: Tree): number | undefined {
  for (const path of pciPaths(tree).values()) {
    const cpus = cpusOf(tree.text(`${path}/local_cpulist`));
    if (cpus !== undefined) return cpus;
  }
  return cpusOf(tree.text('/sys/devices/system/cpu/online'));
}

/**
 * @param own PCI drivers that are described elsewhere
 * @param groups numbers of IOMMU groups that are described
 * @returns undefined for a tree without PCI
 */
export function pciOf(
  tree: Tree,
  own: ReadonlySet<string>,
  groups: ReadonlySet<number>,
): PciInput | undefined {
  if (!tree.dir('/sys/bus/pci')) return undefined;
  const functions = findFunctions(tree);
  const names = tree.names('/sys/bus/pci/drivers').filter((name) => !own.has(name));
  return {
    roots: rootsOf(tree, functions),
    // They cannot be read, so a copy does not have them.
    writeCombining: [...functions.values()].some(
      ({ path }) => tree.dir(path)?.partial || tree.names(path).some((name) => /^resource\d_wc$/.test(name)),
    ),
    functions: [...functions.values()].map((found) => functionOf(tree, found, functions, groups)),
    drivers: names.map((name) => driverOf(tree, name)),
  };
}

function rootsOf(tree: Tree, functions: ReadonlyMap<string, Found>): RootInput[] {
  const paths = new Set<string>();
  for (const name of tree.names('/sys/class/pci_bus')) {
    const above = parentOf(parentOf(tree.target(`/sys/class/pci_bus/${name}`) ?? '/'));
    if (baseOf(above) === `pci${name}`) paths.add(above);
  }
  for (const { path } of functions.values()) {
    const above = parentOf(path);
    if (ROOT.test(baseOf(above))) paths.add(above);
  }
  return [...paths]
    .filter((path) => ROOT.test(baseOf(path)))
    .sort()
    .map((path) => ({
      bus: baseOf(path).slice('pci'.length),
      ...(parentOf(path) !== '/sys/devices' && { parent: parentOf(path) }),
      ...firmwareNode(tree, path),
    }));
}

export function firmwareNode(tree: Tree, path: string): { firmwareNode?: string } {
  const target = tree.target(`${path}/firmware_node`);
  return target?.startsWith('/sys/') ? { firmwareNode: target } : {};
}

export const idOf = (tree: Tree, path: string) =>
  `${hexOf(tree.text(`${path}/vendor`), 4)}:${hexOf(tree.text(`${path}/device`), 4)}`;

/** Where the functions are that a driver has. */
export const functionsOf = (tree: Tree, driver: string): string[] =>
  [...pciPaths(tree).values()].filter((path) => tree.targetName(`${path}/driver`) === driver);

/** A driver, with what it does to its functions as far as it does the same to all of them. */
function driverOf(tree: Tree, name: string): DriverInput {
  const mine = functionsOf(tree, name);
  const module = tree.targetName(`/sys/bus/pci/drivers/${name}/module`);
  const ids = mine.filter((path) => overrideOf(tree, path) !== name).map((path) => idOf(tree, path));
  const vfio = module !== undefined && mine.some((path) => vfioNumbers(tree, path) !== undefined);
  return {
    name,
    ...(module !== undefined && { module }),
    ...(vfio && { builtin: false }),
    ids: [...new Set(ids)].sort(),
    binding: { ...bindingOf(tree, mine), ...(vfio && { vfio }) },
  };
}

/** Modules of drivers by which functions are in the hands of VFIO. */
export const vfioDrivers = ({ drivers = [] }: PciInput): string[] => [
  ...new Set(
    drivers.flatMap(({ module, binding }) => (module !== undefined && binding?.vfio ? [module] : [])),
  ),
];

function overrideOf(tree: Tree, path: string): string | undefined {
  const text = tree.text(`${path}/driver_override`);
  return text === undefined || text === '(null)' || text === '' ? undefined : text;
}

function functionOf(
  tree: Tree,
  { address, path, config, driver }: Found,
  functions: ReadonlyMap<string, Found>,
  groups: ReadonlySet<number>,
): FunctionInput {
  const text = (file: string) => tree.text(`${path}/${file}`);
  const id = (file: string, digits: number) => hexOf(text(file), digits);
  const same = [...functions.values()].filter(
    (other) => other.driver !== undefined && idOf(tree, other.path) === idOf(tree, path),
  );
  // A function of the same kind has another driver: only a name tells them apart.
  const mixed = driver !== undefined && same.some((other) => other.driver !== driver);
  const override = overrideOf(tree, path) ?? (mixed ? driver : undefined);
  const vectors = tree
    .names(`${path}/msi_irqs`)
    .map(Number)
    .sort((a, b) => a - b);
  const group = Number(tree.targetName(`${path}/iommu_group`) ?? -1);
  const file = tree.find(`${path}/config`);
  const irq = Number(text('irq') ?? 0);
  const numa = Number(text('numa_node') ?? -1);
  const firmwareIrq = driver === undefined ? irq : (config[INTERRUPT_LINE] ?? 0);
  const methods = resetMethods(tree, path);
  const sriov = sriovOf(tree, path, config);
  return {
    address,
    vendor: id('vendor', 4)!,
    device: id('device', 4)!,
    class: id('class', 6)!,
    revision: id('revision', 2) ?? '00',
    ...(id('subsystem_vendor', 4) && { subsystemVendor: id('subsystem_vendor', 4) }),
    ...(id('subsystem_device', 4) && { subsystemDevice: id('subsystem_device', 4) }),
    config: config.toString('hex').replace(/(00)+$/, ''),
    configSize: file?.kind === 'file' && file.size === 4096 ? 4096 : 256,
    resources: resourcesOf(text('resource')),
    ...(firmwareIrq !== 0 && { irq: firmwareIrq }),
    ...(irq !== firmwareIrq && { routedIrq: irq }),
    ...(vectors.length > 0 && { vectors }),
    ...(numa >= 0 && { numaNode: numa }),
    ...firmwareNode(tree, path),
    ...(override !== undefined && { driverOverride: override }),
    ...(driver === undefined && same.length > 0 && { unbound: true }),
    ...(groups.has(group) && { iommuGroup: group }),
    ...(tree.target(`${path}/iommu`)?.startsWith('/sys/devices/virtual/iommu/') && {
      iommu: tree.targetName(`${path}/iommu`),
    }),
    ...vfioNumbers(tree, path),
    ...(driver === undefined && Number(text('enable') ?? 0) > 0 && { enabled: true }),
    ...(methods && { resetMethods: methods }),
    ...(sriov && { sriov }),
  };
}

/** Lines as far as there is something. */
function resourcesOf(text: string | undefined): string[] {
  const lines = (text ?? '').split('\n').slice(0, 17);
  while (lines.length > 0 && !/[1-9a-f]/i.test((lines.at(-1) ?? '').replaceAll('0x', ''))) lines.pop();
  return lines.every((line) => /^(0x[0-9a-f]{16} ?){3}$/i.test(line)) ? lines : [];
}

function resetMethods(tree: Tree, path: string): ResetMethod[] | undefined {
  const text = tree.text(`${path}/reset_method`);
  if (text === undefined) return tree.dir(path)?.partial || tree.has(`${path}/reset`) ? undefined : [];
  const methods = text.split(' ').filter((method) => RESET_METHODS.includes(method));
  return methods as ResetMethod[];
}
