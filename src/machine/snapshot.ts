/**
 * A fixture from a tree: the host whose /sys shows that tree.
 *
 * What the emulation has a model for is described as such, so that it works: PCI functions and their drivers, IOMMU
 * groups, vendor drivers with their types, mediated devices. Then a machine is made of the description, and what it shows
 * otherwise than the tree is added as plain devices, and what is still otherwise as nodes. So the result does not depend
 * on how well the description was guessed.
 * @module
 */

import { type KernelProfile, type ProfileName, profiles } from '../base/profile.js';
import type { Clock } from '../lib/clock.js';
import { KernelError } from '../lib/errno.js';
import { processClock } from './clock.js';
import { checkFixture, FixtureError, type FixtureInput } from './fixture.js';
import { Machine } from './machine.js';
import { putBack } from './put-back.js';
import { addPlainDevices, type DeviceInput } from './snapshot-device.js';
import { iommuOf } from './snapshot-iommu.js';
import { majorsOf, mdevsOf } from './snapshot-mdev.js';
import { imagesOf, isLoaded, loadedModules } from './snapshot-module.js';
import { completeConfigs, pciCpus, pciOf, pciPaths, vfioDrivers } from './snapshot-pci.js';
import { addResidue, isMoving, type Owner } from './snapshot-residue.js';
import { apOf, cssOf, hasCcwParents } from './snapshot-s390.js';
import { isVirtualAddress } from './snapshot-sriov.js';
import { vgpusOf } from './snapshot-vgpu.js';
import { CONTROL_DIR, type Tree } from './tree.js';
import { type Difference, diffTrees } from './tree-diff.js';
import { machineTree } from './tree-machine.js';

export interface Snapshot {
  fixture: FixtureInput;
  /** Where the fixture's machine shows something else than the tree, but for what goes on by itself. */
  differences: Difference[];
}

/** Told what is being done. */
export type Progress = (what: string) => void;

/** One that stands still: what counts time is at its start. */
const clock: Clock = { ...processClock, now: () => 0 };

const build = (fixture: FixtureInput): Machine =>
  Machine.fromFixture(checkFixture(fixture, 'snapshot'), { clock });

/** The same before modules are loaded, and so without what their drivers make. */
function bareOf(fixture: FixtureInput): FixtureInput {
  const { pci } = fixture;
  const functions = (pci?.functions ?? []).map(({ sriov, ...rest }) => ({
    ...rest,
    ...(sriov && { sriov: { ...sriov, numVfs: 0 } }),
  }));
  return { ...fixture, modules: [], mdevs: [], ...(pci && { pci: { ...pci, functions } }) };
}

export function snapshot(tree: Tree, progress: Progress = () => {}): Snapshot {
  const debug = tree.dir('/sys/kernel/debug');
  debug?.entries.delete(CONTROL_DIR.slice('/sys/kernel/debug/'.length));
  // Machines of mdevfs have it mounted.
  if (debug?.entries.size === 0) debug.partial = true;
  completeConfigs(tree);
  progress('describing the host');
  const fixture = describe(tree);
  progress('building it');
  const owners = addDevices(tree, fixture);
  progress('comparing it');
  const bare = machineTree(build(bareOf(fixture)));
  const whole = machineTree(build(fixture));
  const left = addResidue(diffTrees(whole, tree), { fixture, owners, bare });
  progress('checking it');
  const told = new Set(left.map(({ path }) => path));
  const differences = diffTrees(machineTree(build(fixture)), tree);
  const more = differences.filter((each) => !isMoving(each) && !told.has(each.path));
  return { fixture, differences: [...left, ...more] };
}

/** As a file: the same tree gives the same text. */
export const formatFixture = (fixture: FixtureInput): string => `${JSON.stringify(fixture, null, 2)}\n`;

/** What there are models for. */
function describe(tree: Tree): FixtureInput {
  const kernel = kernelOf(tree);
  const arch = archOf(tree);
  const profile: KernelProfile = { ...profiles[kernel], arch };
  const vgpus = vgpusOf(tree);
  const iommu = iommuOf(tree, (address) => isVirtualAddress(tree, address));
  const groups = new Set(iommu.groups!.map(({ id }) => id));
  const pci = pciOf(tree, new Set(vgpus.map(({ pciDriver }) => pciDriver)), groups);
  const ap = apOf(tree);
  const css = cssOf(tree);
  // That there are parents tells of their driver where modules are not in the tree.
  const own = [
    ...vgpus.map(({ module }) => module),
    ...(pci ? vfioDrivers(pci) : []),
    ...(ap ? ['vfio_ap'] : []),
    ...(css && (isLoaded(tree, 'vfio_ccw') || hasCcwParents(tree, css)) ? ['vfio_ccw'] : []),
  ];
  const modules = loadedModules(tree, own, profile);
  const names = modules.map((entry) => (typeof entry === 'string' ? entry : entry.name));
  const seqnum = Number(tree.text('/sys/kernel/uevent_seqnum') ?? 0);
  const cpus = pciCpus(tree);
  const majors = majorsOf(tree);
  const fixture: FixtureInput = {
    ...titleOf(tree),
    kernel,
    ...(arch !== 'x86_64' && { arch }),
    ...(cpus !== undefined && { cpus }),
    ...(seqnum > 0 && { seqnum }),
    ...(Object.keys(majors).length > 0 && { majors }),
    modules,
    moduleImages: imagesOf(
      tree,
      names.filter((name) => isLoaded(tree, name)),
      kernel,
    ),
    buses: [],
    classes: [],
    devices: [],
    nodes: {},
    iommu,
    ...(pci && { pci }),
    ...(ap && { ap }),
    ...(css && { css }),
    vgpus,
    mdevs: [],
    overrides: {},
  };
  const model = machineTree(build(fixture));
  fixture.mdevs = possibleMdevs(fixture, mdevsOf(tree, model));
  return fixture;
}

function titleOf(tree: Tree): Pick<FixtureInput, 'name' | 'description'> {
  const product = tree.text('/sys/devices/virtual/dmi/id/product_name')?.trim();
  const name = (product ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return {
    name: name || 'snapshot',
    description: product ? `A snapshot of /sys of ${product}.` : 'A snapshot of /sys.',
  };
}

/** Every power directory of a kernel has the same files. */
function kernelOf(tree: Tree): ProfileName {
  for (const [path] of tree.walk()) if (path.endsWith('/power/runtime_usage')) return 'deblike';
  return 'full';
}

function archOf(tree: Tree): KernelProfile['arch'] {
  if (tree.has('/sys/firmware/ipl')) return 's390x';
  if (tree.has('/sys/module/vfio_iommu_spapr_tce/initstate') || tree.has('/sys/devices/vio'))
    return 'ppc64le';
  return tree.has('/sys/devices/system/cpu/cpu0/regs/identification/midr_el1') ? 'aarch64' : 'x86_64';
}

/** Those that can be made; others stay as nodes. */
function possibleMdevs(fixture: FixtureInput, mdevs: NonNullable<FixtureInput['mdevs']>) {
  const machine = build(fixture);
  return mdevs.filter((mdev) => {
    try {
      putBack(machine, mdev);
      return true;
    } catch (error) {
      if (error instanceof KernelError) return false;
      throw error;
    }
  });
}

/** Adds buses, classes and plain devices, and finds what has nodes of its own. */
function addDevices(tree: Tree, fixture: FixtureInput): Map<string, Owner> {
  const model = machineTree(build(fixture));
  const early = machineTree(build(bareOf(fixture)));
  const subsystems = (kind: 'bus' | 'class') =>
    tree.dirNames(`/sys/${kind}`).filter((name) => !model.has(`/sys/${kind}/${name}`));
  const buses = subsystems('bus');
  const classes = subsystems('class');
  fixture.buses = buses;
  fixture.classes = classes;
  const owners = new Map<string, Owner>();
  const lists = new Map<string, DeviceInput[]>();
  const paths = pciPaths(tree);
  for (const pciFunction of fixture.pci?.functions ?? []) {
    const path = paths.get(pciFunction.address)!;
    owners.set(path, pciFunction as Owner);
    pciFunction.devices = listAt(lists, path);
  }
  for (const root of fixture.pci?.roots ?? []) {
    root.devices = listAt(lists, `${root.parent ?? '/sys/devices'}/pci${root.bus}`);
  }
  const mayHave = (name: string) =>
    buses.includes(name) || classes.includes(name) || (early.has(`/sys/class/${name}`) && name !== 'pci_bus');
  const top: DeviceInput[] = [];
  fixture.devices = top;
  const places = { below: (at: string) => lists.get(at), top, mayHave };
  for (const [path, device] of addPlainDevices(tree, model, places)) owners.set(path, device);
  dropImpossible(fixture, owners);
  return owners;
}

function listAt(lists: Map<string, DeviceInput[]>, path: string): DeviceInput[] {
  const list: DeviceInput[] = [];
  lists.set(path, list);
  return list;
}

/** Takes out top devices that cannot be made, such as two of one number. */
function dropImpossible(fixture: FixtureInput, owners: Map<string, Owner>): void {
  for (;;) {
    try {
      build(fixture);
      return;
    } catch (error) {
      const index = error instanceof FixtureError && /^devices\[(\d+)\]/.exec(error.faults[0] ?? '')?.[1];
      if (!index) throw error;
      const [gone] = fixture.devices!.splice(Number(index), 1) as DeviceInput[];
      for (const [path, owner] of owners) if (isOrIsBelow(owner, gone!)) owners.delete(path);
    }
  }
}

const isOrIsBelow = (owner: Owner, device: DeviceInput): boolean =>
  owner === device || (device.devices ?? []).some((child) => isOrIsBelow(owner, child));
