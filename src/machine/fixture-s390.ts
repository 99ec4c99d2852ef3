/**
 * The parts of a fixture that only s390 machines have: cryptographic adapters and subchannels.
 * @module
 */

import * as z from 'zod';
import type { ApData } from '../drivers/ap-config.js';
import { type ApTypeName, apTypes } from '../drivers/ap-type.js';
import { repeat } from './fixture-node.js';

const number = z.int().min(0).max(255);
const mask = z
  .string()
  .regex(
    /^0x[0-9a-fA-F]{0,64}$/,
    'expected a mask as "0x" and up to 64 hexadecimal digits, number 0 leftmost',
  );

const channelId = z
  .string()
  .regex(/^0\.[0-3]\.[0-9a-f]{4}$/, 'expected a number such as "0.0.0313"')
  .describe('0, subchannel set and number, such as "0.0.0313".');

const typeName = z.enum(apTypes.map(({ name }) => name) as [ApTypeName, ...ApTypeName[]]);
const facilities = z.string().regex(/^0x[0-9a-fA-F]{8}$/, 'expected "0x" and 8 hexadecimal digits');

const adapter = z
  .strictObject({
    id: number.describe('Its number.'),
    type: typeName
      .default('CEX7C')
      .describe('Generation, and what it is configured as: accelerator, CCA or EP11 coprocessor.'),
    depth: z.int().min(0).max(15).default(7).describe('Requests that a queue of it takes, less one.'),
    functions: facilities.optional().describe('Facility bits, instead of those of its type.'),
    serial: z.string().max(16).default('').describe('Serial number of a coprocessor.'),
  })
  .describe('A cryptographic adapter.');

export const ap = z
  .strictObject({
    maxAdapter: number.default(255).describe('Highest number of an adapter that the machine can have.'),
    maxDomain: number.default(255).describe('Highest number of a domain that the machine can have.'),
    adapters: z
      .array(z.union([number.describe('Number of an adapter.'), adapter]))
      .default([])
      .describe('Adapters that the host has.'),
    domains: z.array(number).default([]).describe('Domains that it can use.'),
    controlDomains: z.array(number).default([]).describe('Domains that it can control.'),
    apmask: mask
      .default('0x')
      .describe('Adapters whose queues the driver of the host keeps, where aqmask has the domain.'),
    aqmask: mask
      .default('0x')
      .describe('Domains whose queues the driver of the host keeps, where apmask has the adapter.'),
  })
  .describe('Cryptographic adapters of s390, for the module vfio_ap.');

export type ApFixture = z.output<typeof ap>;

/** The adapters of a fixture, of which some may be given by their number only. */
export const apAdapters = ({ adapters }: ApFixture): z.output<typeof adapter>[] =>
  adapters.map((each) => (typeof each === 'number' ? adapter.parse({ id: each }) : each));

/** As the AP bus takes it. */
export const apData = (fixture: ApFixture): ApData => ({
  ...fixture,
  adapters: apAdapters(fixture).map(({ functions, ...rest }) => ({
    ...rest,
    ...(functions !== undefined && { functions: Number(functions) }),
  })),
});

export const css = z
  .strictObject({
    subchannels: z
      .array(
        z.strictObject({
          id: channelId,
          repeat: repeat.describe(
            'How many there are of it: each copy has the next number, and the next device.',
          ),
          device: channelId.optional().describe('The device behind it, such as "0.0.1234".'),
          chpids: z.array(number).max(8).default([]).describe('Ids of its channel paths.'),
          driverOverride: z
            .string()
            .optional()
            .describe('Driver that it is kept for, such as "vfio_ccw"; without it io_subchannel has it.'),
          qdio: z
            .boolean()
            .default(false)
            .describe('Whether a QDIO device is behind it; vfio_ccw refuses it.'),
        }),
      )
      .default([])
      .describe('Subchannels for I/O.'),
  })
  .describe('The channel subsystem of s390, for the module vfio_ccw.');
