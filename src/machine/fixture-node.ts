/**
 * The parts of a fixture that describe things the emulation shows but does not model: raw nodes, and devices, buses
 * and classes that are there with what every such object has.
 * @module
 */

import * as z from 'zod';
import { Errno, type ErrnoName } from '../lib/errno.js';

export const octalMode = z
  .string()
  .regex(/^0[0-7]{3}$/, 'expected a mode as 4 octal digits, such as "0644"')
  .describe('Permission bits as 4 octal digits, such as "0644".');

export const sysPath = z
  .string()
  .regex(/^\/sys(\/[^/]+)+$/, 'expected an absolute path below /sys')
  .describe('A path below /sys.');

/** How many of a thing there are, for lists in which one entry can stand for many. */
export const repeat = z
  .int()
  .min(1)
  .max(65536)
  .optional()
  .describe('How many there are of it: each copy has the next number.');

/** What a raw file or link is. */
export interface RawNode {
  content?: string | undefined;
  hex?: string | undefined;
  readError?: ErrnoName | undefined;
  mode?: string | undefined;
  size?: number | undefined;
  target?: string | undefined;
  subsystem?: string | undefined;
  entries?: Record<string, RawNodeEntry> | undefined;
}

/** A raw node as a fixture says it: a text is a file, null takes away what is there. */
export type RawNodeEntry = RawNode | string | null;

export const rawNode: z.ZodType<RawNodeEntry> = z
  .union([
    z.string().describe('A file with this text; read-only, or with the mode of the file that it replaces.'),
    z.null().describe('Takes away what is there.'),
    z.strictObject({
      content: z.string().optional().describe('Text of a file.'),
      hex: z
        .string()
        .regex(/^([0-9a-fA-F]{2})*$/, 'expected pairs of hexadecimal digits')
        .optional()
        .describe('Bytes of a binary file, in hexadecimal; its size is their number.'),
      readError: z
        .enum(Object.keys(Errno) as [ErrnoName], 'expected the name of an errno, such as "EINVAL"')
        .optional()
        .describe('Name of the errno with which reading the file fails.'),
      mode: octalMode.optional().describe('Mode; 0444 for a file, 0755 for a directory.'),
      size: z
        .int()
        .nonnegative()
        .optional()
        .describe('Size that stat reports; 4096 for a text file, 0 for a file of debugfs.'),
      target: sysPath.optional().describe('Makes a link: the path it leads to.'),
      subsystem: z
        .string()
        .optional()
        .describe('Makes a directory announce itself with uevents of this subsystem when it comes and goes.'),
      get entries() {
        return z
          .record(z.string(), rawNode)
          .optional()
          .describe('Makes a directory: what is in it, by name.');
      },
    }),
  ])
  .meta({
    id: 'node',
    description:
      'A text stands for a file; an object is a link (target), a file (content, hex, readError) or a directory (entries, or nothing); null takes a node away.',
  });

export const rawNodes = z.record(z.string(), rawNode);

export const attachedNodes = rawNodes.describe(
  'Nodes by name, in the directory of what they belong to, or elsewhere by path; they come and go with it. They stand in place of what is there by itself.',
);

/** A device of the host without a model of its own. */
export interface PlainDevice {
  name: string;
  parent?: string | undefined;
  class?: string | undefined;
  bus?: string | undefined;
  dev?: string | undefined;
  devname?: string | undefined;
  variables: string[];
  driver?: string | undefined;
  firmwareNode?: string | undefined;
  power: 'default' | 'none';
  nodes: Record<string, RawNodeEntry>;
  devices: PlainDevice[];
}

export const plainDevice: z.ZodType<PlainDevice, unknown> = z
  .strictObject({
    name: z
      .string()
      .regex(/^[^/]+$/, 'expected a file name')
      .describe(
        'Name of its directory. "%d" stands for the lowest number that makes it unique in its class.',
      ),
    parent: sysPath
      .optional()
      .describe(
        'Directory it stands in; /sys/devices without it, /sys/devices/virtual for one with a class.',
      ),
    class: z.string().optional().describe('Its class; made when there is none of that name.'),
    bus: z.string().optional().describe('Its bus; made when there is none of that name.'),
    dev: z
      .string()
      .regex(/^\d+:\d+$/, 'expected a device number as MAJOR:MINOR')
      .optional()
      .describe('Number of its character device, as MAJOR:MINOR.'),
    devname: z.string().optional().describe('Name of its node below /dev where that is not its own name.'),
    variables: z
      .array(z.string().regex(/^[A-Z0-9_]+=/, 'expected KEY=value'))
      .default([])
      .describe('Variables of its uevents, as KEY=value.'),
    driver: z.string().optional().describe('Name of the driver of its bus that has it.'),
    firmwareNode: sysPath.optional().describe('The firmware object that describes it.'),
    power: z
      .enum(['default', 'none'])
      .default('default')
      .describe('"none" for a device whose power directory is empty.'),
    nodes: attachedNodes.default({}).describe('What it has beside what every device has.'),
    get devices() {
      return z.array(plainDevice).default([]).describe('Devices below it.');
    },
  })
  .meta({ id: 'device', description: 'A device of the host that is there and does nothing.' });
