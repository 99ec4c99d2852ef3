/**
 * The part of a fixture that describes vendor drivers of mediated devices.
 * @module
 */

import * as z from 'zod';
import { octalMode } from './fixture-node.js';
import { pciAddress, pciId, pciSetup } from './fixture-pci.js';

function isRegExp(text: string): boolean {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
}

const instances = z.int().positive();

export const vgpuPolicy = z
  .discriminatedUnion(
    'rule',
    [
      z.strictObject({
        rule: z.literal('shared').describe('All types of a parent share one counter, kept by the mdev core.'),
        instances: instances.describe('Devices that a parent may have. One too many is EUSERS.'),
        parameter: z.string().optional().describe('Module parameter that changes the number.'),
      }),
      z.strictObject({
        rule: z.literal('perType').describe('Every type has its own number of instances.'),
      }),
      z.strictObject({
        rule: z.literal('pool').describe('Every device takes from the resources of its parent.'),
        resources: z
          .record(z.string(), z.int().positive())
          .describe('What a parent has, by name; "needs" of a type says what a device takes.'),
      }),
      z.strictObject({
        rule: z
          .literal('onePerFunction')
          .describe(
            'Parents are virtual functions with one device each, and all devices of their GPU are of one type; "instances" of a type is for the whole GPU.',
          ),
      }),
      z.strictObject({
        rule: z
          .literal('oneTypePerGpu')
          .describe(
            'All devices of a parent are of one type: the first one made decides it until the last goes.',
          ),
      }),
    ],
    'expected a rule of "shared", "perType", "pool", "oneTypePerGpu" or "onePerFunction"',
  )
  .describe('How many devices there can be. Except for "shared", one too many is ENOSPC.');

export const vgpuAttribute = z.union([
  z.string().describe('Text of a read-only attribute.'),
  z.strictObject({
    content: z.string().default('').describe('Its text.'),
    mode: octalMode
      .default('0444')
      .describe(
        'Its mode: 0444 to read, 0644 to read and write, 0200 to write. What is written is what it shows then.',
      ),
    pattern: z
      .string()
      .refine(isRegExp, 'expected a regular expression')
      .optional()
      .describe(
        'What can be written to it, as a regular expression for all of the text; anything else is EINVAL.',
      ),
  }),
]);

const vgpuAttributes = z
  .record(z.string().regex(/^[^/]+(\/[^/]+)?$/, 'expected NAME or GROUP/NAME'), vgpuAttribute)
  .default({});

export const vgpuType = z
  .strictObject({
    name: z
      .string()
      .regex(/^[^/]+$/, 'expected a file name')
      .describe('Second half of the directory name, after the name of the PCI driver and a hyphen.'),
    parents: z
      .array(pciAddress)
      .optional()
      .describe('Parents that offer it, by address; all of them without it.'),
    prettyName: z.string().optional().describe('What the "name" file shows; the directory name without it.'),
    description: z.string().optional().describe('What the "description" file shows.'),
    instances: z
      .int()
      .nonnegative()
      .optional()
      .describe('Devices of the type that a parent may have (not for "shared" and "pool").'),
    needs: z
      .record(z.string(), z.int().positive())
      .default({})
      .describe('What a device takes from the pool.'),
    attributes: vgpuAttributes.describe(
      'Attributes of every device of the type, by NAME or GROUP/NAME. In their texts {uuid}, {type}, {parent} and {number}, a number from 1 among the devices of the parent, are replaced.',
    ),
    typeAttributes: vgpuAttributes.describe(
      'Attributes of the type itself, by NAME or GROUP/NAME. In their texts {type} and {parent} are replaced.',
    ),
  })
  .describe('A type of mediated device.');

export const vgpu = z
  .strictObject({
    module: z.string().describe('Name of the module.'),
    pciDriver: z.string().describe('Name of its PCI driver; type directories begin with it.'),
    mdevDriver: z.string().describe('Name of its driver on the mdev bus.'),
    ids: z.array(pciId).default([]).describe('Functions that become parents.'),
    deviceApi: z
      .enum(['vfio-pci', 'vfio-platform', 'vfio-amba', 'vfio-ccw', 'vfio-ap'])
      .default('vfio-pci')
      .describe('Interface that its devices have.'),
    names: z
      .boolean()
      .default(true)
      .describe('Whether types have a "name" file; those of i915 before Linux 6.1 had none.'),
    policy: vgpuPolicy,
    types: z.array(vgpuType).min(1, 'expected at least one type').describe('Types that every parent offers.'),
    attributes: vgpuAttributes.describe(
      'Attributes of every device of every type, as "attributes" of a type, which come first.',
    ),
    parentAttributes: vgpuAttributes.describe(
      'Attributes of every parent while it is one, by NAME or GROUP/NAME. In their texts {parent} is replaced.',
    ),
    parameters: z
      .array(
        z.strictObject({
          name: z.string().describe('Name of the parameter.'),
          type: z.enum(['bool', 'int', 'uint']).describe('Its type.'),
          mode: octalMode.default('0444').describe('Mode of its file.'),
          initial: z.union([z.boolean(), z.number()]).describe('Its value unless another is given.'),
        }),
      )
      .default([])
      .describe('Module parameters.'),
    binding: pciSetup.prefault({}),
  })
  .describe('A vendor driver, as data: its module, its parents and the types of devices they offer.');

export type VgpuFixture = z.output<typeof vgpu>;
export type VgpuTypeFixture = z.output<typeof vgpuType>;
export type VgpuPolicyFixture = z.output<typeof vgpuPolicy>;
