/**
 * Vendor drivers of mediated devices from a tree: PCI functions that are parents, as `vgpus` of a fixture.
 * @module
 */

import type { VgpuPolicy } from '../drivers/vgpu-data.js';
import type { FixtureInput } from './fixture.js';
import { bindingOf } from './snapshot-binding.js';
import { functionsOf, idOf, pciPaths } from './snapshot-pci.js';
import { byKey, type Offer, ruleOf } from './snapshot-policy.js';
import { gpuOf } from './snapshot-sriov.js';
import type { Tree } from './tree.js';

export type VgpuInput = NonNullable<FixtureInput['vgpus']>[number];
type TypeInput = VgpuInput['types'][number];
type Attributes = NonNullable<TypeInput['attributes']>;
type Parameters = NonNullable<VgpuInput['parameters']>;
type DeviceApi = NonNullable<VgpuInput['deviceApi']>;

const APIS: readonly string[] = [
  'vfio-pci',
  'vfio-platform',
  'vfio-amba',
  'vfio-ccw',
  'vfio-ap',
] satisfies DeviceApi[];
/** What every mediated device has. */
const USUAL = ['uevent', 'power', 'subsystem', 'driver', 'mdev_type', 'remove', 'iommu_group', 'vfio-dev'];
/** What every type has. */
const OF_TYPES = ['create', 'device_api', 'name', 'available_instances', 'description', 'devices'];

interface Parent {
  address: string;
  path: string;
}

/** PCI functions that are parents, by driver. */
function parentsOf(tree: Tree): Map<string, Parent[]> {
  const drivers = new Map<string, Parent[]>();
  for (const [address, path] of pciPaths(tree)) {
    const driver = tree.targetName(`${path}/driver`);
    if (driver === undefined || !tree.dir(`${path}/mdev_supported_types`)) continue;
    drivers.set(driver, [...(drivers.get(driver) ?? []), { address, path }]);
  }
  return drivers;
}

const moduleOf = (tree: Tree, driver: string) =>
  tree.targetName(`/sys/bus/pci/drivers/${driver}/module`) ?? driver;

/** Vendor drivers whose parents the tree shows. */
export function vgpusOf(tree: Tree): VgpuInput[] {
  const vgpus = [...parentsOf(tree)].flatMap(([driver, parents]) => {
    const module = moduleOf(tree, driver);
    const offers = parents.flatMap((parent) => offersOf(tree, driver, parent));
    const mdevDriver = mdevDriverOf(tree, module, offers) ?? `${driver}-mdev`;
    if (offers.length === 0) return [];
    return [{ ...vgpuOf(tree, driver, offers, parents), module, mdevDriver }];
  });
  // One module, and one driver on the mdev bus, is all that each can have.
  const first = (key: 'module' | 'mdevDriver') => (vgpu: VgpuInput, index: number) =>
    vgpus.findIndex((other) => other[key] === vgpu[key]) === index;
  return vgpus.filter(first('module')).filter(first('mdevDriver'));
}

/** The driver on the mdev bus: that of a device, or that of the same module or of one that is named after it. */
function mdevDriverOf(tree: Tree, module: string, offers: readonly Offer[]): string | undefined {
  for (const path of offers.flatMap(({ devices }) => devices)) {
    const driver = tree.targetName(`${path}/driver`);
    if (driver !== undefined) return driver;
  }
  const bus = '/sys/bus/mdev/drivers';
  const names = tree.names(bus);
  return (
    names.find((name) => tree.targetName(`${bus}/${name}/module`) === module) ??
    names.find((name) => tree.targetName(`${bus}/${name}/module`)?.startsWith(`${module}_`))
  );
}

function offersOf(tree: Tree, driver: string, { address, path }: Parent): Offer[] {
  const types = `${path}/mdev_supported_types`;
  return tree
    .dirNames(types)
    .filter((dir) => dir.startsWith(`${driver}-`))
    .map((dir) => ({
      parent: address,
      gpu: gpuOf(tree, path),
      name: dir.slice(driver.length + 1),
      prettyName: tree.text(`${types}/${dir}/name`),
      description: tree.text(`${types}/${dir}/description`),
      available: Number(tree.text(`${types}/${dir}/available_instances`) ?? 0) || 0,
      devices: tree
        .names(`${types}/${dir}/devices`)
        .flatMap((uuid) => tree.target(`${types}/${dir}/devices/${uuid}`) ?? []),
    }));
}

function vgpuOf(
  tree: Tree,
  driver: string,
  offers: readonly Offer[],
  parents: readonly Parent[],
): Omit<VgpuInput, 'module' | 'mdevDriver'> {
  const { policy, instances } = ruleOf(driver, offers);
  const all = attributesOf(tree, offers);
  const whole = new Set(offers.map(({ parent }) => parent)).size;
  const pathOf = new Map(parents.map(({ address, path }) => [address, path]));
  const dirOf = ({ parent, name }: Offer) => `${pathOf.get(parent)}/mdev_supported_types/${driver}-${name}`;
  const typeOf = (group: readonly Offer[]): TypeInput => {
    const offer = group[0]!;
    const { name, prettyName, description } = offer;
    const own = attributesOf(
      tree,
      offers.filter((other) => other.name === name),
    );
    const attributes = Object.keys(own).length > 0 ? own : all;
    const typeAttributes = filesOf(tree, dirOf(offer), OF_TYPES, (text) => text);
    return {
      name,
      ...(whole > group.length && { parents: group.map(({ parent }) => parent) }),
      ...(prettyName !== undefined && prettyName !== `${driver}-${name}` && { prettyName }),
      ...(description !== undefined && { description }),
      ...(instances && { instances: instances(offer) }),
      ...(Object.keys(attributes).length > 0 && { attributes }),
      ...(Object.keys(typeAttributes).length > 0 && { typeAttributes }),
    };
  };
  const keyOf = (offer: Offer) => [offer.name, offer.prettyName, offer.description, instances?.(offer)];
  const api = tree.text(`${dirOf(offers[0]!)}/device_api`) ?? '';
  const parameters = parametersOf(tree, moduleOf(tree, driver));
  const functions = functionsOf(tree, driver);
  return {
    pciDriver: driver,
    ids: [...new Set(functions.map((path) => idOf(tree, path)))].sort(),
    ...(APIS.includes(api) && api !== 'vfio-pci' && { deviceApi: api as DeviceApi }),
    ...(offers.every(({ prettyName }) => prettyName === undefined) && { names: false }),
    policy: withParameter(policy, parameters),
    types: [...byKey(offers, (offer) => JSON.stringify(keyOf(offer))).values()].map(typeOf),
    ...(parameters.length > 0 && { parameters }),
    binding: bindingOf(tree, functions),
  };
}

/** A module parameter that has the number which the mdev core counts down from is taken to be its origin. */
function withParameter(policy: VgpuPolicy, parameters: Parameters): VgpuPolicy {
  if (policy.rule !== 'shared') return policy;
  const origin = parameters.filter(({ initial }) => initial === policy.instances);
  return origin.length === 1 ? { ...policy, parameter: origin[0]!.name } : policy;
}

const octal = (mode: number) => `0${mode.toString(8).padStart(3, '0')}`;

function parametersOf(tree: Tree, module: string): Parameters {
  const dir = `/sys/module/${module}/parameters`;
  return tree.names(dir).flatMap((name): Parameters => {
    const node = tree.find(`${dir}/${name}`);
    const text = tree.text(`${dir}/${name}`);
    if (node?.kind !== 'file' || text === undefined) return [];
    const mode = octal(node.mode);
    if (/^[YN]$/.test(text)) return [{ name, type: 'bool', mode, initial: text === 'Y' }];
    return /^-?\d{1,9}$/.test(text) ? [{ name, type: 'int', mode, initial: Number(text) }] : [];
  });
}

/** Files of a directory and of the directories in it, by NAME or GROUP/NAME. */
function filesOf(
  tree: Tree,
  path: string,
  usual: readonly string[],
  change: (text: string) => string,
): Attributes {
  const attributes: Attributes = {};
  const add = (name: string) => {
    const node = tree.find(`${path}/${name}`);
    if (node?.kind !== 'file' || node.error !== undefined) return;
    const content = change(Buffer.from(node.content ?? []).toString('latin1'));
    const mode = octal(node.mode);
    attributes[name] = mode === '0444' ? content : { content, mode };
  };
  for (const name of tree.names(path)) {
    if (usual.includes(name)) continue;
    const node = tree.find(`${path}/${name}`);
    if (node?.kind === 'file') add(name);
    // What has an event file is a device and no group of attributes.
    else if (node?.kind === 'dir' && !node.entries.has('uevent'))
      for (const file of tree.names(`${path}/${name}`)) add(`${name}/${file}`);
  }
  return attributes;
}

/** Attributes of the devices that there are. A type without a device has those of others, as vendor drivers give all the same. */
function attributesOf(tree: Tree, offers: readonly Offer[]): Attributes {
  const attributes: Attributes = {};
  for (const path of offers.flatMap(({ devices }) => devices)) {
    const uuid = path.slice(path.lastIndexOf('/') + 1);
    const type = tree.targetName(`${path}/mdev_type`) ?? uuid;
    const change = (text: string) => text.replaceAll(uuid, '{uuid}').replaceAll(type, '{type}');
    for (const [name, attribute] of Object.entries(filesOf(tree, path, USUAL, change)))
      attributes[name] ??= attribute;
  }
  return attributes;
}
