/**
 * The parts of a fixture that only s390 machines have: cryptographic adapters and subchannels.
 * @module
 */

import * as z from 'zod';
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

export const ap = z
  .strictObject({
    maxAdapter: number.default(255).describe('Highest number of an adapter that the machine can have.'),
    maxDomain: number.default(255).describe('Highest number of a domain that the machine can have.'),
    adapters: z.array(number).default([]).describe('Adapters that the host has.'),
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
