/**
 * What mdevctl 1.2 prints of parents and devices, computed from a description of them.
 * @module
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Device {
  uuid: string;
  parent: string;
  type: string;
  /** Whether it is in sysfs. */
  active?: boolean;
  /** Whether there is a definition of it; what follows is of that. */
  defined?: boolean;
  start?: 'manual' | 'auto';
  attrs?: readonly Record<string, string>[];
}

/** Options of `mdevctl list` and `mdevctl types`, without those that are not given. */
export interface Options {
  uuid?: string;
  parent?: string;
  defined?: boolean;
  verbose?: boolean;
  dumpjson?: boolean;
}

export const words = (options: Options): string =>
  Object.entries(options)
    .map(([name, value]) => (value === true ? `--${name}` : `--${name} ${value}`))
    .join(' ');

interface Type {
  id: string;
  /** How many can be made beside these of the same parent. */
  available: (siblings: readonly Device[]) => number;
  api: string;
  name: string;
  description?: string;
}

interface Fixture {
  pci: { functions: { address: string }[] };
  vgpus: { types: { name: string; prettyName: string; description: string; instances: number }[] }[];
}

const file = fileURLToPath(new URL('../../../fixtures/clients.json', import.meta.url));
const fixture = JSON.parse(readFileSync(file, 'utf8')) as Fixture;

const vgpuTypes = fixture.vgpus[0]!.types.map(({ name, prettyName, description, instances }): Type => {
  const id = `nvidia-${name}`;
  const available = (siblings: readonly Device[]) =>
    instances - siblings.filter(({ type }) => type === id).length;
  return { id, available, api: 'vfio-pci', name: prettyName, description };
});

/** The kernel's sample driver has 24 ports in all. */
const ports = (siblings: readonly Device[]) =>
  siblings.reduce((left, { type }) => left - Number(type.slice('mtty-'.length)), 24);

/** The parents of the fixture in the order of their names, and their types likewise. */
const parents: readonly [string, Type[]][] = [
  [
    '0.0.0313',
    [
      {
        id: 'vfio_ccw-io',
        available: ({ length }) => 1 - length,
        api: 'vfio-ccw',
        name: 'I/O subchannel (Non-QDIO)',
      },
    ],
  ],
  ...fixture.pci.functions.map(({ address }): [string, Type[]] => [address, vgpuTypes]),
  [
    'matrix',
    [
      {
        id: 'vfio_ap-passthrough',
        available: ({ length }) => 65536 - length,
        api: 'vfio-ap',
        name: 'VFIO AP Passthrough Device',
      },
    ],
  ],
  [
    'mtty',
    [
      { id: 'mtty-1', available: ports, api: 'vfio-pci', name: 'Single port serial' },
      {
        id: 'mtty-2',
        available: (siblings) => Math.floor(ports(siblings) / 2),
        api: 'vfio-pci',
        name: 'Dual port serial',
      },
    ],
  ],
];

/** What `mdevctl types` prints while there are these devices. */
export function typesOf(devices: readonly Device[], { parent, dumpjson }: Options): string {
  const chosen = parents.filter(([name]) => parent === undefined || name === parent);
  const siblings = (name: string) => devices.filter((device) => device.active && device.parent === name);
  if (dumpjson) {
    const described = chosen.map(([parent, types]) => [
      parent,
      types.map(({ id, available, api, name, description }) => ({
        [id]: {
          available_instances: available(siblings(parent)),
          device_api: api,
          name,
          ...(description === undefined ? {} : { description }),
        },
      })),
    ]);
    return json(described);
  }
  const lines = chosen.flatMap(([parent, types]) => [
    parent,
    ...types.flatMap(({ id, available, api, name, description }) => [
      `  ${id}`,
      `    Available instances: ${available(siblings(parent))}`,
      `    Device API: ${api}`,
      `    Name: ${name}`,
      ...(description === undefined ? [] : [`    Description: ${description}`]),
    ]),
  ]);
  return text(lines);
}

/** What `mdevctl list` prints of these devices. */
export function listOf(devices: readonly Device[], options: Options): string {
  const { uuid, parent, defined, verbose, dumpjson } = options;
  const chosen = devices
    .filter((device) => (defined ? device.defined : device.active))
    .filter((device) => uuid === undefined || device.uuid === uuid)
    .filter((device) => parent === undefined || device.parent === parent)
    .sort((a, b) => order(a.parent, b.parent) || order(a.uuid, b.uuid));
  if (dumpjson) {
    const entries = chosen.map((device): [string, string, object] => [
      device.parent,
      device.uuid,
      { mdev_type: device.type, start: device.start ?? 'manual', attrs: device.attrs ?? [] },
    ]);
    if (uuid !== undefined && entries.length === 1) return `${JSON.stringify(entries[0]![2], null, 2)}\n`;
    const names = [...new Set(entries.map(([name]) => name))];
    return json(
      names.map((parent) => [
        parent,
        entries.filter(([name]) => name === parent).map(([, uuid, config]) => ({ [uuid]: config })),
      ]),
    );
  }
  const lines = chosen.flatMap((device) => {
    const other = defined ? device.active && 'active' : device.defined && 'defined';
    const line = `${device.uuid} ${device.parent} ${device.type} ${device.start ?? 'manual'}${other ? ` (${other})` : ''}`;
    const attrs = device.attrs ?? [];
    if (!verbose || attrs.length === 0) return [line];
    return [line, '  Attrs:', ...attrs.map((attr, at) => `    @{${at}}: ${JSON.stringify(attr)}`)];
  });
  return text(lines);
}

const order = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** An array with one object that has a key for each parent; empty without any. */
const json = (entries: (readonly [string, object] | [string, object][] | (string | object)[])[]) =>
  `${JSON.stringify(entries.length > 0 ? [Object.fromEntries(entries)] : [], null, 2)}\n`;

/** Lines, and an empty one. */
const text = (lines: readonly string[]) => [...lines, ''].map((line) => `${line}\n`).join('');
