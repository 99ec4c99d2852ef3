/**
 * Recordings of umockdev (`umockdev-record --all`, files `*.umockdev`) as trees. One line says one thing of a device,
 * an empty line ends the device:
 *
 * | line | says |
 * |---|---|
 * | `P: /devices/...` | where it is below /sys |
 * | `N: NAME[=HEX]`, `S: NAME` | its node and links below /dev; not of interest here |
 * | `E: KEY=VALUE` | a variable of its uevents, or a property of udev's own |
 * | `A: NAME=TEXT` | an attribute, with `\n` and the like for what does not fit on a line |
 * | `H: NAME=HEX` | a binary attribute |
 * | `L: NAME=TARGET` | a link |
 *
 * Modes are not recorded, nor links that follow from the rest: into class, bus, driver and IOMMU group, and by number.
 * @module
 */

import { PAGE_SIZE } from '../kernfs/file.js';
import { baseOf, newDir, parentOf, Tree, type TreeFile, TreeTooLargeError } from './tree.js';

/** A recording with a line that is none of these. */
export class UmockdevError extends Error {
  constructor(
    readonly line: number,
    readonly reason: string,
  ) {
    super(`line ${line}: ${reason}`);
  }
}

/** Subsystems that are buses; others are classes, unless a driver says otherwise. */
const BUSES = new Set(
  (
    'acpi amba ap auxiliary cpu container css ccw ccwgroup dax drm_dp eisa event_source faux gameport hdaudio hid i2c iio ' +
    'isa machinecheck matrix mdev mei memory memory_tiering mdio_bus mmc nd node nvmem parport pci pci-epf pci_express ' +
    'pcmcia platform pnp rapidio rpmsg scsi sdio serial serial-base serio slimbus snd_seq soc soundwire spi spmi ' +
    'thunderbolt typec ufs ulpi usb usb-serial vio virtio vmbus wmi workqueue xen xen-backend'
  ).split(' '),
);

/** Variables that the kernel gives are not these: udev keeps them, and so does a recording. */
const OF_UDEV =
  /^(SUBSYSTEM|DEVPATH|TAGS|CURRENT_TAGS|DEVLINKS|USEC_INITIALIZED|ID_\w+|SYSTEMD_\w+|UDISKS_\w+|\w+_FROM_DATABASE)$/;
const FIRST = ['MAJOR', 'MINOR', 'DEVNAME', 'DEVMODE', 'DRIVER'];

interface Recorded {
  /** Where it begins in the recording. */
  line: number;
  path: string;
  variables: Map<string, string>;
  files: Map<string, Uint8Array>;
  links: Map<string, string>;
}

/** What a recording can take of memory and time. */
const MOST_NODES = 200_000;
const LONGEST_PATH = 1024;
/** That of a file of 256 KiB in hexadecimal digits has half as much. */
const LONGEST_LINE = 1024 * 1024;

/** @param text at least its beginning */
export const isUmockdev = (text: string): boolean => /^(#.*\n|@.*\n|\n)*P: \//.test(text);

/** @throws UmockdevError */
export function umockdevTree(text: string): Tree {
  const tree = new Tree(newDir(0o755, true), MOST_NODES);
  for (const device of parse(text)) {
    try {
      addDevice(tree, device);
    } catch (error) {
      if (error instanceof TreeTooLargeError) throw new UmockdevError(device.line, error.message);
      throw error;
    }
  }
  return tree;
}

/** Its lines, one at a time: there may be as many as letters. */
function* linesOf(text: string): Generator<string> {
  for (let at = 0; at <= text.length; ) {
    const end = text.indexOf('\n', at);
    yield text.slice(at, end < 0 ? text.length : end);
    if (end < 0) return;
    at = end + 1;
  }
}

function parse(text: string): Recorded[] {
  const devices: Recorded[] = [];
  let device: Recorded | undefined;
  let number = 0;
  let nodes = 0;
  const fail = (message: string): never => {
    throw new UmockdevError(number, message);
  };
  for (const line of linesOf(text)) {
    number++;
    // Comments, and what to do with nodes when they are played back.
    if (line.length > LONGEST_LINE) fail(`a line of more than ${LONGEST_LINE / 1024} KiB`);
    if (line === '' || line.startsWith('#') || line.startsWith('@')) continue;
    const [, kind = '', rest = ''] = /^([A-Z]): (.*)$/.exec(line) ?? fail('expected a letter, ": " and more');
    if (++nodes > MOST_NODES) fail(`more than ${MOST_NODES} nodes`);
    if (rest.length > LONGEST_PATH && kind === 'P') fail(`a path of more than ${LONGEST_PATH} letters`);
    if (kind === 'P') {
      if (!/^\/devices(\/[^/]+)+$/.test(rest) || rest.includes('/../'))
        fail('expected a path below /devices');
      device = {
        line: number,
        path: `/sys${rest}`,
        variables: new Map(),
        files: new Map(),
        links: new Map(),
      };
      devices.push(device);
      continue;
    }
    if (!device) return fail('expected "P: " first');
    if (kind === 'N' || kind === 'S') continue;
    const equals = rest.indexOf('=');
    if (equals < 1) fail('expected NAME=VALUE');
    const name = rest.slice(0, equals);
    const value = rest.slice(equals + 1);
    if (equals > LONGEST_PATH) fail(`a name of more than ${LONGEST_PATH} letters`);
    if (kind !== 'E' && name.split('/').some((part) => part === '' || part === '..'))
      fail('expected a name below the device');
    if (kind === 'E') device.variables.set(name, value);
    else if (kind === 'A') device.files.set(name, Buffer.from(unescaped(value), 'utf8'));
    else if (kind === 'H') {
      if (value.length % 2 !== 0 || /[^0-9a-f]/i.test(value)) fail('expected pairs of hexadecimal digits');
      device.files.set(name, Buffer.from(value, 'hex'));
    } else if (kind === 'L') device.links.set(name, value);
    else fail(`expected P, N, S, E, A, H or L, got ${kind}`);
  }
  return devices;
}

/** What `g_strescape` made of a text, back. */
function unescaped(text: string): string {
  const letters: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v' };
  if (!text.includes('\\')) return text;
  return text.replace(/\\([0-7]{1,3}|.)/g, (_, escaped: string) =>
    /^[0-7]/.test(escaped) ? String.fromCharCode(Number.parseInt(escaped, 8)) : (letters[escaped] ?? escaped),
  );
}

const fileOf = (content: Uint8Array): TreeFile => ({
  kind: 'file',
  mode: 0o444,
  size: PAGE_SIZE,
  content,
  unsure: 'mode and size',
});

function addDevice(tree: Tree, { path, variables, files, links }: Recorded): void {
  tree.makeDir(path);
  for (const [name, content] of files) tree.put(`${path}/${name}`, fileOf(content));
  for (const [name, text] of links) tree.put(`${path}/${name}`, { kind: 'link', text });
  if (!files.has('uevent')) tree.put(`${path}/uevent`, fileOf(Buffer.from(ueventOf(variables))));
  const subsystem = variables.get('SUBSYSTEM');
  if (subsystem !== undefined && /^[^/]+$/.test(subsystem)) addToSubsystem(tree, path, subsystem);
  const driver = tree.target(`${path}/driver`);
  if (driver?.startsWith('/sys/bus/')) link(tree, `${driver}/${baseOf(path)}`, path);
  const group = tree.target(`${path}/iommu_group`);
  if (group?.startsWith('/sys/kernel/iommu_groups/')) {
    if (!tree.has(`${group}/type`)) tree.put(`${group}/type`, fileOf(Buffer.from('DMA\n')));
    link(tree, `${group}/devices/${baseOf(path)}`, path);
  }
  const dev = tree.text(`${path}/dev`);
  if (dev !== undefined && /^\d+:\d+$/.test(dev)) {
    link(tree, `/sys/dev/${subsystem === 'block' ? 'block' : 'char'}/${dev}`, path);
  }
}

/** The event file as the kernel shows it: what comes from the driver core first. */
function ueventOf(variables: ReadonlyMap<string, string>): string {
  const own = [...variables].filter(([key]) => !OF_UDEV.test(key));
  const rank = (key: string) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  own.sort(([a], [b]) => rank(a) - rank(b));
  const shown = (key: string, value: string) => (key === 'DEVNAME' ? value.replace(/^\/dev\//, '') : value);
  return own.map(([key, value]) => `${key}=${shown(key, value)}\n`).join('');
}

function addToSubsystem(tree: Tree, path: string, subsystem: string): void {
  const driver = tree.target(`${path}/driver`);
  const isVirtual = parentOf(path) === `/sys/devices/virtual/${subsystem}`;
  const isBus = !isVirtual && (BUSES.has(subsystem) || driver?.startsWith(`/sys/bus/${subsystem}/`) === true);
  const home = isBus ? `/sys/bus/${subsystem}` : `/sys/class/${subsystem}`;
  link(tree, `${home}${isBus ? '/devices' : ''}/${baseOf(path)}`, path);
  if (!tree.has(`${path}/subsystem`)) link(tree, `${path}/subsystem`, home);
}

/** A link whose text is the shortest. */
function link(tree: Tree, path: string, target: string): void {
  const from = parentOf(path).split('/').slice(1);
  const to = target.split('/').slice(1);
  let common = 0;
  while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
  tree.put(path, { kind: 'link', text: '../'.repeat(from.length - common) + to.slice(common).join('/') });
}
