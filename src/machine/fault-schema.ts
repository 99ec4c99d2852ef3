/**
 * What a rule of fault injection may say, in a fixture or as words of a line.
 * @module
 */

import * as z from 'zod';
import { Errno } from '../lib/errno.js';
import { ioctlRequest, ioctlRequestNames } from './fault-request.js';
import { noneOf } from './fixture-fault.js';

export const operations = ['open', 'read', 'write', 'mmap', 'ioctl', 'probe', 'remove'] as const;
export type FaultOperation = (typeof operations)[number];

const operation = `(?:${operations.join('|')})`;
const LONGEST_DELAY = 3_600_000;

/** What is wrong with a list of operations: the first that is none. */
function noOperations(text: string): string {
  const wrong = text.split(',').find((word) => !(operations as readonly string[]).includes(word));
  return noneOf(`expected some of ${operations.join(', ')}, with commas between them`, wrong, operations);
}

const glob = z.string().min(1, 'expected a pattern');

const fields = z.strictObject({
  op: z
    .string()
    .regex(new RegExp(`^${operation}(,${operation})*$`), {
      error: ({ input }) => noOperations(String(input)),
    })
    .describe('What fails: open, read, write, mmap, ioctl, probe, remove; several with commas between them.'),
  path: glob
    .optional()
    .describe(
      'Pattern of a file: a path below /sys, also by way of links; a path below /dev; a name alone for every file of that ' +
        'name. "**" is any number of directories.',
    ),
  device: glob
    .optional()
    .describe('Pattern of the name of the device that a file, a driver or a request is concerned with.'),
  parent: glob.optional().describe("Pattern of the name of that device's parent."),
  driver: glob.optional().describe("Pattern of the name of that device's driver."),
  request: z
    .string()
    .refine((text) => ioctlRequest(text) !== undefined, {
      error: ({ input }) =>
        noneOf(
          'expected a request of an ioctl, such as VFIO_DEVICE_RESET or 0x3b6f',
          input,
          ioctlRequestNames,
        ),
    })
    .optional()
    .describe('The request of an ioctl, by name or number; any without it.'),
  errno: z
    .string()
    .refine((name) => Object.hasOwn(Errno, name), {
      error: ({ input }) => noneOf('expected the name of an errno, such as EBUSY', input, Object.keys(Errno)),
    })
    .optional()
    .describe('Errno with which it fails, by name.'),
  delay: z.int().min(1).max(LONGEST_DELAY).optional().describe('Milliseconds that it takes longer.'),
  short: z.int().min(0).optional().describe('Bytes that a read gives, or a write takes, at most.'),
  times: z.int().min(1).optional().describe('How often it happens; always without it.'),
  interval: z.int().min(1).default(1).describe('Every how many operations it happens.'),
  probability: z
    .number()
    .gt(0)
    .max(100)
    .default(100)
    .describe('How probable it is, in percent. What happens follows from "seed" alone.'),
  seed: z.int().nonnegative().default(1).describe('Where the random numbers begin.'),
  log: z.string().optional().describe('Line that is printed to the kernel log when it happens.'),
});

/** What a rule may say, with what it means. */
export const faultKeys: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(fields.shape).map(([key, { description = '' }]) => [key, description]),
);

const fileOperations: readonly string[] = ['open', 'read', 'write', 'mmap'];

export const faultRule = fields
  .superRefine((rule, context) => {
    const fault = (key: keyof typeof rule, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    const ops = rule.op.split(',');
    const driverOps = ops.filter((op) => op === 'probe' || op === 'remove');
    const { path, device, parent, driver, errno, delay, short } = rule;
    if (errno === undefined && delay === undefined && short === undefined)
      fault('errno', 'expected at least one of errno, delay, short');
    if (errno !== undefined && short !== undefined) fault('short', 'expected none, since there is an errno');
    if (short !== undefined && ops.some((op) => op !== 'read' && op !== 'write'))
      fault('short', 'expected none, since only read and write can be short');
    if (short === 0 && ops.includes('write'))
      fault('short', 'expected at least 1 for a write, which would be tried for ever');
    if (delay !== undefined && ops.includes('mmap'))
      fault('delay', 'expected none, since mmap does not wait');
    if ((path ?? device ?? parent ?? driver) === undefined)
      fault('path', 'expected at least one of path, device, parent, driver');
    if (path !== undefined && driverOps.length > 0)
      fault('path', `expected none, since ${driverOps[0]} has no file; use device, parent or driver`);
    if (path?.startsWith('/') && !/^\/(sys|dev)\//.test(path))
      fault('path', 'expected a path below /sys or /dev, or a name');
    if (rule.request !== undefined && !ops.includes('ioctl'))
      fault(
        'request',
        `expected none, since ${ops.find((op) => fileOperations.includes(op)) ?? ops[0]} has no request`,
      );
  })
  .describe('A rule of fault injection.');

export type FaultRuleData = z.output<typeof faultRule>;
/** A rule as it may be written: everything with a default may be missing. */
export type FaultRuleInput = z.input<typeof faultRule>;
