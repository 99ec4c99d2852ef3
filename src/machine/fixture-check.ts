/**
 * What the parts of a fixture must agree on: names that are used must be given, once each, and a function that hangs
 * below a bridge needs the bridge.
 * @module
 */

import { didYouMean } from '../lib/nearest.js';
import { IORESOURCE_MEM, IORESOURCE_MEM_64, PCI_ROM_RESOURCE, parseResource } from '../pci/resource.js';
import { configBytes } from './fixture-config.js';
import { formatPath, type Path } from './fixture-fault.js';
import type { PciFunctionFixture } from './fixture-pci.js';
import { apAdapters } from './fixture-s390.js';
import type { Fixture } from './fixture-schema.js';

const SECONDARY_BUS = 0x19;
const HEADER_TYPE = 0x0e;
const BRIDGE = 1;

class Faults {
  readonly #lines = new Set<string>();

  /** @param origin where in the file a path is */
  constructor(readonly origin: (path: Path) => Path) {}

  get lines(): string[] {
    return [...this.#lines];
  }

  add(path: Path, message: string): void {
    this.#lines.add(`${formatPath(this.origin(path))}: ${message}`);
  }

  /** Reports names that stand twice in a list. */
  unique(path: Path, field: string, names: readonly string[]): void {
    const seen = new Map<string, number>();
    for (const [index, name] of names.entries()) {
      const first = seen.get(name);
      if (first === undefined) seen.set(name, index);
      else
        this.add(
          [...path, index, field],
          `expected another than ${formatPath(this.origin([...path, first]))}, got "${name}" again`,
        );
    }
  }
}

/**
 * @param modules names of modules that need no entry in the fixture; without it module names are not checked
 * @param origin where in the file the part at a path came from
 * @returns faults, without the file name
 */
export function crossCheck(
  fixture: Fixture,
  modules?: Iterable<string>,
  origin: (path: Path) => Path = (path) => path,
): string[] {
  const faults = new Faults(origin);
  checkPci(fixture, faults);
  checkVgpus(fixture, faults);
  if (modules) checkModules(fixture, new Set(modules), faults);
  faults.unique(
    ['iommu', 'groups'],
    'id',
    fixture.iommu.groups.map(({ id }) => String(id)),
  );
  faults.unique(
    ['ap', 'adapters'],
    'id',
    fixture.ap ? apAdapters(fixture.ap).map(({ id }) => String(id)) : [],
  );
  faults.unique(
    ['css', 'subchannels'],
    'id',
    (fixture.css?.subchannels ?? []).map(({ id }) => id),
  );
  faults.unique(
    ['mdevs'],
    'uuid',
    fixture.mdevs.map(({ uuid }) => uuid.toLowerCase()),
  );
  return faults.lines;
}

/** The number of the bus below a bridge, as DOMAIN:BUS; undefined for a function that is no bridge. */
function secondaryBus(pciFunction: PciFunctionFixture): string | undefined {
  const bytes = configBytes(pciFunction.config);
  if (((bytes[HEADER_TYPE] ?? 0) & 0x7f) !== BRIDGE) return undefined;
  return `${pciFunction.address.slice(0, 4)}:${(bytes[SECONDARY_BUS] ?? 0).toString(16).padStart(2, '0')}`;
}

function checkPci({ pci, iommu }: Fixture, faults: Faults): void {
  if (!pci) return;
  const groups = new Set(iommu.groups.map(({ id }) => id));
  const units = iommu.units.map(({ name }) => name);
  const buses = new Set(pci.roots.map(({ bus }) => bus));
  faults.unique(['pci', 'roots'], 'bus', [...pci.roots.map(({ bus }) => bus)]);
  faults.unique(
    ['pci', 'functions'],
    'address',
    pci.functions.map(({ address }) => address),
  );
  faults.unique(
    ['pci', 'drivers'],
    'name',
    pci.drivers.map(({ name }) => name),
  );
  for (const [index, { module, builtin, binding }] of pci.drivers.entries()) {
    if (binding.vfio && (module === undefined || builtin))
      faults.add(
        ['pci', 'drivers', index, 'builtin'],
        'expected false and the name of a module, since VFIO is a module',
      );
  }
  for (const [index, pciFunction] of pci.functions.entries()) {
    const path = ['pci', 'functions', index];
    const bus = pciFunction.address.slice(0, 7);
    if (!buses.has(bus)) {
      faults.add([...path, 'address'], `expected a root bus or a bridge to bus ${bus} before it`);
    }
    const below = secondaryBus(pciFunction);
    if (below !== undefined && buses.has(below)) {
      faults.add(path, `expected a bridge to a bus that no other leads to, got bus ${below}`);
    }
    if (below !== undefined) buses.add(below);
    const { iommuGroup, iommu: unit, configSize } = pciFunction;
    if (iommuGroup !== undefined && !groups.has(iommuGroup)) {
      faults.add([...path, 'iommuGroup'], `expected a group of iommu.groups, got ${iommuGroup}`);
    }
    if (unit !== undefined && !units.includes(unit)) {
      faults.add(
        [...path, 'iommu'],
        `expected a unit of iommu.units, got "${unit}"${didYouMean(unit, units)}`,
      );
    }
    checkSriov(pciFunction, path, faults);
    checkRange(pciFunction, path, faults);
    const { length } = configBytes(pciFunction.config);
    if (length > configSize) {
      faults.add([...path, 'config'], `expected at most ${configSize} bytes, got ${length}`);
    }
  }
}

/** Memory that a register of 32 bits cannot hold. */
function checkRange({ resources }: PciFunctionFixture, above: Path, faults: Faults): void {
  for (const [index, line] of resources.slice(0, PCI_ROM_RESOURCE).entries()) {
    const { end, flags } = parseResource(line);
    if (flags & IORESOURCE_MEM && !(flags & IORESOURCE_MEM_64) && end > 0xffff_ffffn) {
      faults.add(
        [...above, 'resources', index],
        `expected memory below 4 GB, got an end of 0x${end.toString(16)}`,
      );
    }
  }
}

function checkSriov({ address, configSize, sriov }: PciFunctionFixture, above: Path, faults: Faults): void {
  if (!sriov) return;
  const path = [...above, 'sriov'];
  const { totalVfs, numVfs, offset, stride } = sriov;
  if (configSize !== 4096) faults.add([...above, 'configSize'], 'expected 4096, since there is "sriov"');
  if (numVfs > totalVfs) faults.add([...path, 'numVfs'], `expected at most ${totalVfs}, got ${numVfs}`);
  const devfn = Number.parseInt(address.slice(8, 10), 16) * 8 + Number(address.slice(11));
  const last = devfn + offset + stride * (totalVfs - 1);
  if (last > 255) {
    faults.add([...path, 'totalVfs'], `expected as many as have numbers up to 255, got the number ${last}`);
  }
}

function checkVgpus({ vgpus, pci }: Fixture, faults: Faults): void {
  faults.unique(
    ['vgpus'],
    'module',
    vgpus.map(({ module }) => module),
  );
  faults.unique(
    ['vgpus'],
    'mdevDriver',
    vgpus.map(({ mdevDriver }) => mdevDriver),
  );
  if (vgpus.length > 0 && !pci) faults.add(['pci'], 'expected a PCI bus, since there are "vgpus"');
  const drivers = [
    ...(pci?.drivers ?? []).map(({ name }) => name),
    ...vgpus.map(({ pciDriver }) => pciDriver),
  ];
  for (const [index, vgpu] of vgpus.entries()) {
    const path = ['vgpus', index];
    if (drivers.filter((name) => name === vgpu.pciDriver).length > 1) {
      faults.add(
        [...path, 'pciDriver'],
        `expected a name that no other PCI driver has, got "${vgpu.pciDriver}"`,
      );
    }
    // Types of the same name may be of different parents.
    const named = vgpu.types.flatMap(({ name, parents = [''] }) =>
      parents.map((parent) => `${parent} ${name}`),
    );
    if (new Set(named).size < named.length || vgpu.types.every(({ parents }) => !parents)) {
      faults.unique(
        [...path, 'types'],
        'name',
        vgpu.types.map(({ name }) => name),
      );
    }
    const { policy } = vgpu;
    for (const [at, type] of vgpu.types.entries()) {
      const typePath = [...path, 'types', at];
      const counted = policy.rule !== 'shared' && policy.rule !== 'pool';
      if (counted && type.instances === undefined) {
        faults.add([...typePath, 'instances'], `expected a number, since the rule is "${policy.rule}"`);
      }
      if (policy.rule !== 'pool') continue;
      const resources = Object.keys(policy.resources);
      if (Object.keys(type.needs).length === 0) {
        faults.add([...typePath, 'needs'], 'expected at least one resource, since the rule is "pool"');
      }
      for (const name of Object.keys(type.needs).filter((need) => !resources.includes(need))) {
        faults.add(
          [...typePath, 'needs', name],
          `expected a resource of the pool${didYouMean(name, resources)}`,
        );
      }
    }
    const parameter = policy.rule === 'shared' ? policy.parameter : undefined;
    if (parameter !== undefined && !vgpu.parameters.some(({ name }) => name === parameter)) {
      faults.add([...path, 'policy', 'parameter'], `expected a parameter of the module, got "${parameter}"`);
    }
  }
}

function checkModules(fixture: Fixture, known: Set<string>, faults: Faults): void {
  for (const { module } of fixture.vgpus) known.add(module);
  if (fixture.ap) known.add('vfio_ap');
  if (fixture.css) known.add('vfio_ccw');
  for (const { module, builtin } of fixture.pci?.drivers ?? []) if (module && !builtin) known.add(module);
  for (const [index, entry] of fixture.modules.entries()) {
    const name = typeof entry === 'string' ? entry : entry.name;
    if (known.has(name)) continue;
    const path = ['modules', index, ...(typeof entry === 'string' ? [] : ['name'])];
    faults.add(path, `expected a module that exists, got "${name}"${didYouMean(name, known)}`);
  }
}
