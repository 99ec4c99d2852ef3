/**
 * What the recordings only name in a listing: the firmware's objects, and the devices behind the links of /sys/class.
 * @module
 */

import type { FixtureInput } from '../../../src/machine/fixture.js';
import type { Recorded } from './recorded.js';

type Device = NonNullable<FixtureInput['devices']>[number];

/** Functions with a wakeup source, which number them in this order. */
export const wakeupFunctions = [
  '0000:00:00.0',
  '0000:00:01.0',
  '0000:00:03.0',
  '0000:00:04.0',
  '0000:00:05.0',
  '0000:00:06.0',
  '0000:00:1f.0',
  '0000:00:1f.3',
  '0000:01:00.0',
];

/** The ACPI devices that others link to as their firmware node. */
export function firmware(boot: Recorded): Device[] {
  const targets = Object.keys(boot.nodes)
    .filter((path) => path.endsWith('/firmware_node'))
    .map((path) => boot.target(path).replace('/sys/devices/', ''))
    .sort();
  const tree: Tree = {};
  for (const path of [
    ...targets,
    'LNXSYSTM:00/LNXPWRBN:00',
    'LNXSYSTM:00/LNXSYBUS:00/PNP0A08:00/device:0a',
  ]) {
    let at = tree;
    for (const name of path.split('/')) at = at[name] ??= {};
  }
  const wakeups: Record<string, string> = { 'LNXPWRBN:00': 'wakeup9', 'device:0a': 'wakeup10' };
  const devices = (branch: Tree): Device[] =>
    Object.entries(branch).map(([name, below]) => ({
      name,
      bus: 'acpi',
      devices: [
        ...devices(below),
        ...(wakeups[name] === undefined ? [] : [{ name: wakeups[name], class: 'wakeup' }]),
      ],
    }));
  return devices(tree);
}

interface Tree {
  [name: string]: Tree;
}

const nodes = (deviceClass: string, numbers: Record<string, string>): Device[] =>
  Object.entries(numbers).map(([name, dev]) => ({ name, class: deviceClass, dev }));

export const furniture: Device[] = [
  ...nodes('mem', { null: '1:3', zero: '1:5', full: '1:7', random: '1:8', urandom: '1:9', kmsg: '1:11' }),
  ...nodes('tty', { tty: '5:0', console: '5:1', ptmx: '5:2' }),
  ...nodes('tty', { ttyS0: '4:64', ttyS1: '4:65', ttyS2: '4:66', ttyS3: '4:67' }),
  // The numbers of /proc/misc.
  ...nodes('misc', { hw_random: '10:183', fuse: '10:229', vga_arbiter: '10:256', udmabuf: '10:257' }),
  {
    name: 'lo',
    class: 'net',
    variables: ['INTERFACE=lo', 'IFINDEX=1'],
    nodes: { ifindex: '1\n', operstate: 'unknown\n' },
  },
  { name: '9p-1', class: 'bdi', nodes: { read_ahead_kb: { content: '128\n', mode: '0644' } } },
  { name: '254:0', class: 'bdi', nodes: { read_ahead_kb: { content: '128\n', mode: '0644' } } },
  {
    name: 'id',
    class: 'dmi',
    nodes: {
      sys_vendor: 'QEMU\n',
      product_name: 'Standard PC (Q35 + ICH9, 2009)\n',
      chassis_vendor: 'QEMU\n',
      chassis_type: '1\n',
    },
  },
];
