/**
 * The PCI part of a fixture: host bridges, functions and the drivers of the host.
 * @module
 */

import * as z from 'zod';
import { attachedNodes, plainDevice, repeat, sysPath } from './fixture-node.js';

export function hexDigits(count: number) {
  return z.string().regex(new RegExp(`^[0-9a-fA-F]{${count}}$`), `expected ${count} hexadecimal digits`);
}

export const pciAddress = z
  .string()
  .regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, 'expected an address such as "0000:01:00.0"')
  .describe('Address as DOMAIN:BUS:SLOT.FUNCTION, such as "0000:01:00.0".');

export const pciId = z
  .string()
  .regex(
    /^([0-9a-fA-F]{4}|\*):([0-9a-fA-F]{4}|\*)(:([0-9a-fA-F]{4}|\*):([0-9a-fA-F]{4}|\*))?( [0-9a-fA-F]{6}(\/[0-9a-fA-F]{6})?)?$/,
    'expected VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE][ CLASS[/MASK]], such as "10de:1eb8" or "*:* 060400/ffffff"',
  )
  .describe(
    'What a driver takes: VENDOR:DEVICE, optionally :SUBVENDOR:SUBDEVICE, optionally a space and CLASS[/MASK]; "*" is any.',
  );

const configSpace = z
  .string()
  .regex(/^([0-9a-fA-F]{2})*$/, 'expected pairs of hexadecimal digits')
  .or(
    z.record(
      z.string().regex(/^[0-9a-fA-F]{1,3}$/, 'expected an offset as 1 to 3 hexadecimal digits'),
      z.string().regex(/^([0-9a-fA-F]{2})+$/, 'expected pairs of hexadecimal digits'),
    ),
  )
  .default('');

const configSize = z.union([z.literal(256), z.literal(4096)]);

export const pciSriov = z
  .strictObject({
    totalVfs: z.int().min(1).max(255).describe('How many there can be.'),
    numVfs: z
      .int()
      .nonnegative()
      .default(0)
      .describe('How many there are at boot, once the modules are loaded; a driver with "sriov" makes them.'),
    offset: z.int().min(1).max(255).default(1).describe('Numbers from the function to the first of them.'),
    stride: z.int().min(1).max(255).default(1).describe('Numbers from each of them to the next.'),
    vfDevice: hexDigits(4).describe('Device id that all of them have.'),
    capability: z
      .string()
      .regex(/^[1-9a-fA-F][0-9a-fA-F][048cC]$/, 'expected an offset from "100" to "fbc"')
      .default('160')
      .describe('Where the capability is written in the configuration space of the function.'),
    totalMsix: z
      .int()
      .nonnegative()
      .default(0)
      .describe('Interrupt vectors that the driver has for all of them, as sriov_vf_total_msix shows.'),
    config: configSpace.describe('Configuration space of each of them, as that of a function.'),
    configSize: configSize.default(4096).describe('Size of the configuration space of each of them.'),
  })
  .describe(
    'Virtual functions that a function can have (SR-IOV). What base addresses they share stands in lines 8 to 13 of "resources".',
  );

/** What nearly every driver does with its device. */
const setup = {
  enable: z.boolean().default(true).describe('Enables the function while bound: memory, I/O, D0.'),
  busMaster: z.boolean().default(false).describe('Makes it a bus master while bound.'),
  vectors: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Interrupt vectors taken while bound: MSI-X where the function has it, else MSI.'),
  dmaMask: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('Width of DMA addresses that the driver sets; it stays.'),
  sriov: z
    .boolean()
    .default(false)
    .describe('Whether the driver makes virtual functions when sriov_numvfs is written.'),
};

export const pciSetup = z.strictObject(setup).describe('What a driver does with a function it is bound to.');

export const pciBinding = z
  .strictObject({
    ...setup,
    vfio: z
      .boolean()
      .default(false)
      .describe(
        'Registers the function with VFIO, as vfio-pci does, for a driver that is a module; it needs an IOMMU group, and cannot be opened.',
      ),
    devices: z
      .array(plainDevice)
      .default([])
      .describe(
        'Devices below the function while bound. In their texts {name} is the name of the device, {ifindex} the next interface number, {address} the address of the function and {KEY} a value of the function.',
      ),
    nodes: attachedNodes.default({}).describe('Nodes of the function while bound.'),
  })
  .describe('What a driver does with a function that it is bound to.');

export const pciDriver = z
  .strictObject({
    name: z.string().describe('Name of the driver, as below /sys/bus/pci/drivers.'),
    module: z.string().optional().describe('Its module.'),
    builtin: z
      .boolean()
      .default(true)
      .describe(
        'Whether the module is part of the kernel; otherwise it is loaded through "modules" or by hand.',
      ),
    ids: z.array(pciId).default([]).describe('What it binds to.'),
    binding: pciBinding.prefault({}),
  })
  .describe('A driver of the host, as data.');

const vfioNumber = z.int().min(0).max(0xfffff);

export type PciStep = 'function' | 'slot' | 'bus' | 'domain';

export const pciFunction = z
  .strictObject({
    address: pciAddress,
    repeat: repeat.describe(
      'How many there are of it: each copy has the next address, the next IOMMU group, and memory right after that of the one before. Not for bridges.',
    ),
    step: z
      .enum(['function', 'slot', 'bus', 'domain'])
      .optional()
      .describe(
        'What of the address is counted on by "repeat", a slot without it. What is too much carries: after the last slot comes the next bus.',
      ),
    vendor: hexDigits(4).describe('Vendor id.'),
    device: hexDigits(4).describe('Device id.'),
    class: hexDigits(6).describe('Class, subclass and programming interface.'),
    revision: hexDigits(2).default('00').describe('Revision id.'),
    subsystemVendor: hexDigits(4).optional().describe('Subsystem vendor id.'),
    subsystemDevice: hexDigits(4).optional().describe('Subsystem device id.'),
    config: configSpace.describe(
      'Configuration space in hexadecimal, from offset 0, or pieces of it by hexadecimal offset. The rest is 0; the ids above are filled in.',
    ),
    configSize: configSize
      .default(256)
      .describe('Size of the configuration space: 4096 for PCI Express behind a root port.'),
    resources: z
      .array(
        z
          .string()
          .regex(
            /^0x[0-9a-fA-F]{16} 0x[0-9a-fA-F]{16} 0x[0-9a-fA-F]{16}$/,
            'expected a line of a "resource" file: start, end and flags, each 0x and 16 hexadecimal digits',
          ),
      )
      .max(17)
      .default([])
      .describe(
        'Lines of its "resource" file: six base addresses, the ROM, six base addresses of all virtual functions, the windows of a bridge. Missing lines are 0.',
      ),
    irq: z.int().nonnegative().default(0).describe('Interrupt line that the firmware gave it.'),
    routedIrq: z.int().nonnegative().optional().describe('Interrupt number once a driver has enabled it.'),
    vectors: z
      .array(z.int().nonnegative())
      .optional()
      .describe(
        'Interrupt numbers of the vectors that its driver takes, as many as there are, while those numbers are free.',
      ),
    numaNode: z.int().min(-1).default(-1).describe('NUMA node; -1 for none.'),
    firmwareNode: sysPath.optional().describe('The firmware object that describes it.'),
    wakeup: z.boolean().default(false).describe('Whether that object is a wakeup source.'),
    driverOverride: z
      .string()
      .optional()
      .describe('The only driver that it is for, as a user may write it to driver_override.'),
    unbound: z
      .boolean()
      .default(false)
      .describe('Whether the driver that takes it at boot has been taken from it.'),
    iommuGroup: z.int().nonnegative().optional().describe('Number of its IOMMU group.'),
    iommu: z.string().optional().describe('Name of the IOMMU above it.'),
    vfioGroup: vfioNumber
      .optional()
      .describe('Minor of its VFIO group while a driver registers it with VFIO, if it is free.'),
    vfioDevice: vfioNumber.optional().describe('Number of its VFIO device then, if it is free.'),
    enabled: z.boolean().default(false).describe('Whether it is enabled without a driver.'),
    resetMethods: z
      .array(z.enum(['device_specific', 'acpi', 'flr', 'af_flr', 'pm', 'bus', 'cxl_bus']))
      .optional()
      .describe('Ways to reset it; found from its capabilities by default.'),
    sriov: pciSriov.optional(),
    values: z
      .record(z.string(), z.string())
      .default({})
      .describe('Texts for the {KEY} places in the devices of its driver, such as a MAC address.'),
    nodes: attachedNodes.default({}).describe('Nodes of the function beside the usual ones.'),
    devices: z.array(plainDevice).default([]).describe('Devices below it beside PCI functions.'),
  })
  .describe('A PCI function.');

export const pciRoot = z
  .strictObject({
    bus: z
      .string()
      .regex(/^[0-9a-f]{4}:[0-9a-f]{2}$/, 'expected DOMAIN:BUS, such as "0000:00"')
      .describe('Domain and number of the root bus.'),
    repeat,
    step: z
      .enum(['bus', 'domain'])
      .optional()
      .describe('What of the number is counted on by "repeat", a bus without it.'),
    firmwareNode: sysPath.optional().describe('The firmware object that describes it.'),
    parent: sysPath.optional().describe('Where the host bridge hangs; /sys/devices without it.'),
    devices: z.array(plainDevice).default([]).describe('Devices below it that are no PCI functions.'),
  })
  .describe('A PCI host bridge.');

export const pci = z
  .strictObject({
    roots: z
      .array(pciRoot)
      .default([{ bus: '0000:00', devices: [] }])
      .describe('Host bridges.'),
    firstVector: z
      .int()
      .nonnegative()
      .default(24)
      .describe('Lowest interrupt number that MSI and MSI-X vectors get.'),
    writeCombining: z
      .boolean()
      .default(true)
      .describe('Whether prefetchable memory has a second file, resourceN_wc.'),
    functions: z
      .array(pciFunction)
      .default([])
      .describe(
        'Functions in the order in which the kernel finds them. One on a bus other than a root bus hangs below the bridge whose secondary bus that is.',
      ),
    drivers: z.array(pciDriver).default([]).describe('Drivers of the host.'),
  })
  .describe('The PCI bus of the host.');

export type PciFixture = z.output<typeof pci>;
export type PciFunctionFixture = z.output<typeof pciFunction>;
export type PciDriverFixture = z.output<typeof pciDriver>;
export type PciBindingFixture = z.output<typeof pciBinding>;
export type PciRootFixture = z.output<typeof pciRoot>;
