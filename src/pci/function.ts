/**
 * A PCI function as hardware: where it sits, its configuration space and its resources. It stays in its slot when the
 * kernel is told to forget the device, and a rescan finds it again.
 * @module
 */

import { PciConfig } from './config.js';
import { addSriovCapability } from './sriov-capability.js';
import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_ID_SSVID,
  PCI_CLASS_PROG,
  PCI_DEVICE_ID,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_HEADER_TYPE_MASK,
  PCI_INTERRUPT_LINE,
  PCI_REVISION_ID,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS1,
  PCI_SECONDARY_BUS,
  PCI_SUBORDINATE_BUS,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from './regs.js';
import {
  baseAddresses,
  NO_RESOURCE,
  PCI_ROM_RESOURCE,
  PCI_STD_NUM_BARS,
  type PciResource,
  resourceSize,
} from './resource.js';

const NO_ID = 0xffff;

export type ResetMethod = 'device_specific' | 'acpi' | 'flr' | 'af_flr' | 'pm' | 'bus' | 'cxl_bus';

/** What a function says of its virtual functions. */
export interface SriovOptions {
  totalVfs: number;
  /** Numbers from the function to the first one, and from each to the next. */
  offset: number;
  stride: number;
  vfDevice: number;
  /** Where the capability stands in configuration space. */
  capability: number;
  /** Interrupt vectors that the driver has for all of them. */
  totalMsix: number;
  /** Configuration space of each, but for the header. */
  config: Uint8Array;
  configSize: number;
}

export interface PciFunctionOptions {
  /** `DOMAIN:BUS:SLOT.FUNCTION`. */
  address: string;
  vendor: number;
  device: number;
  /** 24 bits. */
  class: number;
  revision: number;
  subsystemVendor?: number | undefined;
  subsystemDevice?: number | undefined;
  /** Bytes from offset 0. The ids above and, where they are 0, the base addresses are filled in. */
  config: Uint8Array;
  configSize: number;
  resources: readonly PciResource[];
  /** Interrupt line given by the firmware. */
  irq: number;
  /** Interrupt number once enabled. */
  routedIrq?: number | undefined;
  /** Interrupt numbers that its vectors get while those are free. */
  vectors?: readonly number[] | undefined;
  numaNode: number;
  /** Whether it is enabled when the kernel finds it. */
  enabled: boolean;
  resetMethods?: readonly ResetMethod[] | undefined;
  /** The only driver that it is for. */
  driverOverride?: string | undefined;
  /** Its virtual functions; those of a capability in `config` without it. */
  sriov?: SriovOptions | undefined;
  /** The function that it is a virtual one of. */
  physical?: PciFunction | undefined;
}

export class PciFunction {
  readonly address: string;
  readonly config: PciConfig;
  readonly resources: readonly PciResource[];

  constructor(readonly options: PciFunctionOptions) {
    this.address = options.address;
    this.resources = options.resources;
    const initial = Buffer.alloc(options.configSize);
    initial.set(options.config.subarray(0, options.configSize));
    fillHeader(initial, options);
    if (options.sriov) addSriovCapability(initial, options.sriov, options.resources);
    // A virtual function has no base addresses of its own.
    const sizes = options.physical ? [] : options.resources.slice(0, 7).map(resourceSize);
    this.config = new PciConfig(options.configSize, initial, sizes);
  }

  /** The function that this is a virtual one of. */
  get physical(): PciFunction | undefined {
    return this.options.physical;
  }

  get vendor(): number {
    return this.options.vendor;
  }

  get device(): number {
    return this.options.device;
  }

  /** `DOMAIN:BUS` of the bus it sits on. */
  get bus(): string {
    return this.address.slice(0, 7);
  }

  /** Slot and function as one number of 8 bits. */
  get devfn(): number {
    const [slot = '', number = ''] = this.address.slice(8).split('.');
    return (Number.parseInt(slot, 16) << 3) | Number(number);
  }

  /** `DOMAIN:BUS` of the bus below a bridge. */
  get secondaryBus(): string | undefined {
    if (!this.config.isBridge) return undefined;
    return `${this.address.slice(0, 4)}:${this.secondaryBusNumber.toString(16).padStart(2, '0')}`;
  }

  get secondaryBusNumber(): number {
    return this.config.u8(PCI_SECONDARY_BUS);
  }

  get subordinateBusNumber(): number {
    return this.config.u8(PCI_SUBORDINATE_BUS);
  }

  get subsystemVendor(): number {
    return this.#subsystem(PCI_SUBSYSTEM_VENDOR_ID, 4);
  }

  get subsystemDevice(): number {
    return this.#subsystem(PCI_SUBSYSTEM_ID, 6);
  }

  /** A bridge has its subsystem ids in a capability. */
  #subsystem(register: number, inCapability: number): number {
    const { config } = this;
    if (!config.isBridge) return config.u16(register);
    const capability = config.findCapability(PCI_CAP_ID_SSVID);
    return capability ? config.u16(capability + inCapability) : 0;
  }

  resource(index: number): PciResource {
    return this.resources[index] ?? NO_RESOURCE;
  }
}

function fillHeader(bytes: Buffer, options: PciFunctionOptions): void {
  // The ids of a virtual function are in the capability of the physical one.
  bytes.writeUInt16LE(options.physical ? NO_ID : options.vendor, PCI_VENDOR_ID);
  bytes.writeUInt16LE(options.physical ? NO_ID : options.device, PCI_DEVICE_ID);
  bytes.writeUInt8(options.revision, PCI_REVISION_ID);
  bytes.writeUIntLE(options.class, PCI_CLASS_PROG, 3);
  const isBridge = (bytes.readUInt8(PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK) === PCI_HEADER_TYPE_BRIDGE;
  if (!isBridge) {
    const { subsystemVendor, subsystemDevice } = options;
    if (subsystemVendor !== undefined) bytes.writeUInt16LE(subsystemVendor, PCI_SUBSYSTEM_VENDOR_ID);
    if (subsystemDevice !== undefined) bytes.writeUInt16LE(subsystemDevice, PCI_SUBSYSTEM_ID);
  }
  if (options.physical) return;
  const rom = options.resources[PCI_ROM_RESOURCE];
  const romRegister = isBridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
  if (rom && bytes.readUInt32LE(romRegister) === 0) {
    bytes.writeUInt32LE(Number(rom.start & 0xffff_ffffn), romRegister);
  }
  const bars = 4 * (isBridge ? 2 : PCI_STD_NUM_BARS);
  const registers = bytes.subarray(PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_0 + bars);
  if (registers.every((byte) => byte === 0))
    registers.set(baseAddresses(options.resources).subarray(0, bars));
  if (bytes.readUInt8(PCI_INTERRUPT_LINE) === 0 && options.irq < 256)
    bytes.writeUInt8(options.irq, PCI_INTERRUPT_LINE);
}
