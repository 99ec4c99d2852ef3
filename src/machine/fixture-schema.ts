/**
 * What a fixture file may say: a host as data. Every field says in its description what it means; the JSON Schema for
 * editors is made from this.
 * @module
 */

import * as z from 'zod';
import { faultRule } from './fault-schema.js';
import { plainDevice, rawNodes, repeat, sysPath } from './fixture-node.js';
import { pci } from './fixture-pci.js';
import { ap, css } from './fixture-s390.js';
import { vgpu } from './fixture-vgpu.js';

const moduleImage = z
  .strictObject({
    coresize: z.int().positive().optional().describe('Bytes of the loaded module.'),
    srcversion: z.string().optional().describe('Checksum of its sources.'),
    version: z.string().optional().describe('Version that its author gave it.'),
    taint: z.string().optional().describe('Letters of its taint file.'),
    sections: z.record(z.string(), z.string()).optional().describe('Addresses of its sections, by name.'),
    notes: z.record(z.string(), z.string()).optional().describe('Its notes in hexadecimal, by name.'),
  })
  .describe('Facts of a compiled module.');

const moduleEntry = z.union([
  z.string().describe('Name of a module.'),
  z.strictObject({
    name: z.string().describe('Name of the module.'),
    parameters: z.record(z.string(), z.string()).default({}).describe('Parameter values, by name, as text.'),
    holders: z
      .array(z.string())
      .optional()
      .describe('Other modules that use it, which are loaded and have no model; it cannot be unloaded.'),
  }),
]);

const iommu = z
  .strictObject({
    units: z
      .array(
        z.strictObject({
          name: z.string().describe('Name of the unit, such as dmar0.'),
          nodes: rawNodes.default({}).describe('What its directory has beside the usual.'),
        }),
      )
      .default([])
      .describe('IOMMUs, below /sys/class/iommu.'),
    groups: z
      .array(
        z.strictObject({
          id: z.int().nonnegative().describe('Number of the group.'),
          repeat,
          type: z
            .enum(['identity', 'DMA', 'DMA-FQ', 'blocked', 'unmanaged'])
            .default('DMA')
            .describe('Type of its domain.'),
          reservedRegions: z
            .array(z.string())
            .default(['0x00000000fee00000 0x00000000feefffff msi'])
            .describe('Lines of reserved_regions.'),
        }),
      )
      .default([])
      .describe('IOMMU groups of real devices.'),
  })
  .describe('The IOMMU of the host.');

const number = z.int().min(0).max(0xfffff);

export const fixtureSchema = z
  .strictObject({
    $schema: z.string().optional().describe('The JSON Schema, for editors.'),
    name: z.string().min(1).describe('Name of the host.'),
    description: z.string().optional().describe('What it is, in a sentence.'),
    kernel: z
      .enum(['full', 'deblike', 'legacy'])
      .default('full')
      .describe(
        'Kernel configuration: "full" has every VFIO option, "deblike" those of Debian (groups only), "legacy" the same ' +
          'before Linux 6.4 (a VM takes groups, no devices).',
      ),
    arch: z
      .enum(['x86_64', 'ppc64le', 's390x', 'aarch64'])
      .default('x86_64')
      .describe('Processor architecture.'),
    cpus: z.int().min(1).max(4096).default(2).describe('Number of processors.'),
    seqnum: z.int().nonnegative().default(0).describe('Number of the last uevent once all of this is there.'),
    majors: z
      .record(z.string(), z.int().min(1).max(511))
      .default({})
      .describe('Majors of character devices, by driver name, such as "vfio"; otherwise the next free ones.'),
    modules: z
      .array(moduleEntry)
      .default([])
      .describe('Modules that are loaded at boot, with what they need.'),
    moduleImages: z
      .record(z.string(), moduleImage)
      .default({})
      .describe('Facts of compiled modules, by name, beyond those that are known.'),
    builtinModules: z
      .array(z.string())
      .default([])
      .describe('Modules that are part of the kernel and have a directory below /sys/module.'),
    buses: z
      .array(z.string())
      .default([])
      .describe('Buses that are there with nothing modelled behind them.'),
    classes: z
      .array(z.string())
      .default([])
      .describe('Classes that are there with nothing modelled behind them.'),
    devices: z.array(plainDevice).default([]).describe('Devices that are there and do nothing.'),
    nodes: z
      .record(sysPath, rawNodes.valueType)
      .default({})
      .describe('Other nodes, by path. Directories on the way are made.'),
    overrides: z
      .record(sysPath, rawNodes.valueType)
      .default({})
      .describe(
        'Nodes by path, as the last thing of the boot, in place of what is there. A file that replaces another shows its content until something is written to it.',
      ),
    iommu: iommu.prefault({}),
    pci: pci.optional(),
    ap: ap.optional(),
    css: css.optional(),
    vgpus: z.array(vgpu).default([]).describe('Vendor drivers of mediated devices.'),
    mdevs: z
      .array(
        z.strictObject({
          uuid: z.guid('expected a UUID').describe('Its UUID.'),
          repeat: repeat.describe('How many there are of it: each copy has the next UUID.'),
          parent: z.string().describe('Name of the parent, as below /sys/class/mdev_bus.'),
          type: z.string().describe('Name of the type, as below mdev_supported_types.'),
          attributes: z
            .record(z.string(), z.string())
            .optional()
            .describe('What is written to its attributes, by NAME or GROUP/NAME, in this order.'),
          unbound: z.boolean().optional().describe('Whether its driver has been taken from it.'),
          iommuGroup: number.optional().describe('Number of its IOMMU group.'),
          vfioGroup: number.optional().describe('Minor of its VFIO group.'),
          vfioDevice: number.optional().describe('Number of its VFIO device.'),
        }),
      )
      .default([])
      .describe('Mediated devices that exist at boot.'),
    faults: z
      .array(faultRule)
      .default([])
      .describe('Rules of fault injection, in force before any module is loaded.'),
  })
  .describe('A host for mdevfs.');

export type Fixture = z.output<typeof fixtureSchema>;
/** A fixture as it may be written: everything with a default may be missing. */
export type FixtureInput = z.input<typeof fixtureSchema>;
