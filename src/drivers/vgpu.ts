/**
 * Vendor drivers of virtual GPUs, made from data: a module with a PCI driver whose devices become parents, and a driver
 * on the mdev bus for the devices made there. NVIDIA's and Intel's drivers look like this from sysfs; what their
 * devices do is not modelled: a device with the PCI API is the one of `vgpu-device`, others cannot be used.
 * @module
 */

import type { Module, ModuleDefinition } from '../base/module.js';
import type { KernfsDir } from '../kernfs/dir.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import { Ida } from '../lib/ida.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { mdevModule } from '../mdev/core.js';
import type { MdevDevice } from '../mdev/device.js';
import {
  type MdevDriver,
  mdevRegisterDriver,
  mdevUnregisterDriver,
  type RegisteredMdevDriver,
} from '../mdev/driver.js';
import { type MdevParent, mdevRegisterParent, mdevUnregisterParent } from '../mdev/parent.js';
import { MdevType } from '../mdev/type.js';
import { bindPci, unbindPci } from '../pci/binding.js';
import { pciBuiltin } from '../pci/bus.js';
import type { PciDevice } from '../pci/device.js';
import { PciDriver } from '../pci/driver.js';
import { parsePciId } from '../pci/ids.js';
import { pciSriovConfigureSimple } from '../pci/sriov.js';
import { type VfioCore, vfioModule } from '../vfio/core.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
import { vgpuAttributeGroups, type Written } from './vgpu-attribute.js';
import type { VgpuData, VgpuTypeData } from './vgpu-data.js';
import { VgpuDevice } from './vgpu-device.js';
import { OneType, type VgpuCount, vgpuCount } from './vgpu-policy.js';

class VgpuType extends MdevType {
  /**
   * @param numbers those of the parent's devices
   * @param groups attributes of types
   */
  constructor(
    readonly data: VgpuTypeData,
    readonly count: VgpuCount | undefined,
    readonly numbers: Ida,
    readonly groups: readonly KernfsTemplate[],
  ) {
    super(data.name, data.prettyName);
  }

  override add(parent: MdevParent, typesDir: KernfsDir): void {
    super.add(parent, typesDir);
    for (const group of this.groups) this.dir.addTemplate(group);
  }
}

/** A device of the driver. */
class Vgpu extends VfioDevice {
  /** The lowest from 1 that no other device of the parent has; set while VfioDevice is made. */
  declare number: number;
  /** The device behind it, while somebody uses it. */
  used: VgpuDevice | undefined = undefined;
}

function behind(vdev: VfioDevice): VgpuDevice {
  const vgpu = vdev as Vgpu;
  vgpu.used ??= new VgpuDevice(vdev, (vdev.device.parent as PciDevice).function);
  return vgpu.used;
}

/** What the user of a device with the PCI API can do. */
const pciOps: Omit<VfioDeviceOps, 'name'> = {
  closeDevice(vdev) {
    const vgpu = vdev as Vgpu;
    vgpu.used?.close();
    vgpu.used = undefined;
  },
  ioctl: (vdev, request, arg, caller) => behind(vdev).ioctl(request, arg, caller),
  read: (vdev, length, offset) => behind(vdev).read(length, offset),
  write: (vdev, bytes, offset) => behind(vdev).write(bytes, offset),
  mmap: (vdev, offset, length) => behind(vdev).mmap(offset, length),
  request: (vdev) => (vdev as Vgpu).used?.request(),
  dmaUnmap: (vdev, iova, length) => (vdev as Vgpu).used?.dmaUnmap(iova, length),
};

const typeOf = (mdev: MdevDevice) => mdev.mdevType as VgpuType;

const fill = (text: string, values: Record<string, string | number>) =>
  text.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole));

/** Attributes of devices: those of all, and those of each type. */
function deviceGroups({ attributes, types }: VgpuData, written: Written): KernfsTemplate[] {
  const byType = new Map(types.map((type) => [type, { ...attributes, ...type.attributes }]));
  return vgpuAttributeGroups<MdevDevice>([...byType.values()], {
    of: (mdev) => byType.get(typeOf(mdev).data)!,
    fill: (mdev, text) =>
      fill(text, {
        uuid: mdev.uuid,
        type: mdev.mdevType.dir.name,
        parent: mdev.mdevType.parent.device.name,
        number: (mdev.driverData as Vgpu).number,
      }),
    life: (mdev) => mdev.driverData as Vgpu,
    written,
  });
}

function mdevDriver(data: VgpuData, vfio: VfioCore, module: Module): MdevDriver {
  const { policy, types } = data;
  const written: Written = new WeakMap();
  const devGroups = deviceGroups(data, written);
  const vgpuTypeOf = ({ device }: VfioDevice) => (device as MdevDevice).mdevType as VgpuType;
  const ops: VfioDeviceOps = {
    name: data.mdevDriver,
    ...(data.deviceApi === 'vfio-pci' && pciOps),
    /** @throws ENOSPC when the driver counts and the parent has no room for another of the type */
    init(vdev) {
      const type = vgpuTypeOf(vdev);
      type.count?.take(type.data);
      (vdev as Vgpu).number = type.numbers.alloc();
    },
    release(vdev) {
      const type = vgpuTypeOf(vdev);
      type.numbers.free((vdev as Vgpu).number);
      type.count?.give(type.data);
    },
  };
  const common = {
    name: data.mdevDriver,
    deviceApi: data.deviceApi,
    devGroups,
    hideName: !data.names,
    ...(types.some(({ description }) => description !== undefined) && {
      showDescription: (type: MdevType) => (type as VgpuType).data.description ?? '',
    }),

    probe(mdev: MdevDevice) {
      const vgpu = new Vgpu(vfio, mdev, ops);
      vgpu.registerEmulatedIommuDev();
      mdev.driverData = vgpu;
    },

    written: (mdev: MdevDevice) => Object.fromEntries(written.get(mdev.driverData as Vgpu) ?? []),

    remove(mdev: MdevDevice) {
      const vdev = mdev.driverData as Vgpu;
      return after(vdev.unregisterGroupDev(), () => vdev.put());
    },
  };
  if (policy.rule === 'shared') {
    const { parameter, instances } = policy;
    return {
      ...common,
      maxInstances: parameter === undefined ? instances : module.parameters.number(parameter),
    };
  }
  return { ...common, getAvailable: (type) => (type as VgpuType).count!.available((type as VgpuType).data) };
}

/** A loaded vendor driver. */
export class VgpuDriver {
  readonly #mdevDriver: RegisteredMdevDriver;
  readonly #pciDriver: PciDriver;
  readonly #typeGroups: readonly KernfsTemplate[];
  readonly #parentGroups: readonly KernfsTemplate[];
  /** Counts of GPUs whose virtual functions are parents. */
  readonly #gpus = new WeakMap<PciDevice, VgpuCount>();

  constructor(
    readonly module: Module,
    readonly data: VgpuData,
  ) {
    const { binding, parentAttributes, types } = data;
    this.#typeGroups = vgpuAttributeGroups<VgpuType>(
      types.map(({ typeAttributes }) => typeAttributes),
      {
        of: (type) => type.data.typeAttributes,
        fill: (type, text) => fill(text, { type: type.dir.name, parent: type.parent.device.name }),
        life: (type) => type,
        written: new WeakMap(),
      },
    );
    this.#parentGroups = vgpuAttributeGroups<PciDevice>([parentAttributes], {
      of: () => parentAttributes,
      fill: (device, text) => fill(text, { parent: device.name }),
      life: (device) => device.driverData as MdevParent,
      written: new WeakMap(),
    });
    const driver = mdevDriver(data, module.import(vfioModule), module);
    this.#mdevDriver = mdevRegisterDriver(module.import(mdevModule), driver, module);
    this.#pciDriver = new PciDriver(module.import(pciBuiltin), {
      name: data.pciDriver,
      module,
      ids: data.ids.map(parsePciId),
      sriovConfigure: binding.sriov ? pciSriovConfigureSimple : undefined,
      probe: (device) => this.#probe(device),
      remove: (device) => this.#remove(device),
    });
    this.#pciDriver.register();
  }

  #probe(device: PciDevice): void {
    const { policy, types, binding } = this.data;
    bindPci(device, binding);
    // Of a GPU with virtual functions, those are the parents.
    if (policy.rule === 'onePerFunction' && device.sriov) return;
    const count = vgpuCount(policy, () => this.#gpu(device));
    const numbers = new Ida(1);
    const offered = types.filter(({ parents }) => parents?.includes(device.name) ?? true);
    const vgpuTypes = offered.map((type) => new VgpuType(type, count, numbers, this.#typeGroups));
    try {
      device.driverData = mdevRegisterParent(device, this.#mdevDriver, vgpuTypes);
      for (const group of this.#parentGroups) device.dir.addTemplate(group);
    } catch (error) {
      unbindPci(device, binding);
      throw error;
    }
  }

  /** The count of the GPU that a function belongs to. */
  #gpu(device: PciDevice): VgpuCount {
    const gpu = device.physfn ?? device;
    const count = this.#gpus.get(gpu) ?? new OneType();
    this.#gpus.set(gpu, count);
    return count;
  }

  #remove(device: PciDevice): Sleeps<void> {
    const parent = device.driverData as MdevParent | undefined;
    if (parent) for (const group of this.#parentGroups) device.dir.removeTemplate(group);
    return after(parent && mdevUnregisterParent(parent), () => unbindPci(device, this.data.binding));
  }

  /** Undoes the constructor; sleeps while a device is in use. */
  exit(): Sleeps<void> {
    return after(this.#pciDriver.unregister(), () => mdevUnregisterDriver(this.#mdevDriver));
  }
}

/** The module that a description makes. */
export function vgpuModule(data: VgpuData): ModuleDefinition<VgpuDriver> {
  return {
    name: data.module,
    depends: [mdevModule, vfioModule],
    parameters: data.parameters.map((parameter) => ({
      ...parameter,
      mode: Number.parseInt(parameter.mode, 8),
    })),
    init: (module) => new VgpuDriver(module, data),
    exit: (driver) => driver.exit(),
  };
}
