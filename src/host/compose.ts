/**
 * The plan of /sys with a model's devices in it. /sys itself and everything that the model has no part in stay sysfs.
 *
 * * `class`, `bus`, `module`, `dev`, `kernel/iommu_groups` and `devices/virtual` are the model's mount, which shows
 *   the machine's entries beside its own (real-tree-view.ts). They are links for the most part, which nobody mounts.
 * * `devices` is a skeleton in memory with the roots of both mounted on it, so that real devices are sysfs, and
 *   stay when nobody serves the model any more. A root of the same name is a skeleton of its own: the model's files,
 *   and the devices of both.
 * * `devices/virtual` is the model's, because classes come and go there. The machine's classes are mounted on it, and of
 *   a class that both have, such as misc, the machine's devices.
 * * `kernel/debug` is a skeleton of both, since a debugfs can make its reader wait, and must not make the model wait.
 *
 * @module
 */

import { isDir, type KernfsDir } from '../kernfs/dir.js';
import { KernfsLink } from '../kernfs/link.js';
import { quoted, Skeleton } from './compose-skeleton.js';

/** What the plan needs to know of a tree. */
export interface Listed {
  /** Names in a directory; none when there is no such directory. */
  names(path: string): readonly string[];
  kind(path: string): 'dir' | 'file' | 'link' | undefined;
  /** Text of a link. */
  text(path: string): string;
}

/** Where the parts are, seen from the namespace of the command. */
export interface Places {
  /** For a table of mounts. */
  table: string;
  /** The mount of the model. */
  model: string;
  /** The machine's own sysfs. */
  real: string;
  /** Where both are to be seen. */
  sys: string;
  /** Where the skeleton of `devices` can be changed. */
  devices: string;
}

export interface Composition {
  /** For a POSIX shell in the namespace. */
  script: string;
  /** Directories below `sys` that are covered by a mount of the machine's own. */
  covered: string[];
  /** Directories of the model in which new ones are to be mounted when they appear (compose-live.ts). */
  live: string[];
}

const unions = ['class', 'bus', 'module', 'dev'];
const tmpfs = (path: string, mode: string): string =>
  `mount -n -t tmpfs -o mode=${mode},size=4m mdevfs ${quoted(path)} || exit\n`;
const readonly = (path: string): string => `mount -n -o remount,bind,ro ${quoted(path)} || exit\n`;

export function compose(
  real: Listed,
  model: Listed,
  { model: m, real: r, sys, table, devices }: Places,
): Composition {
  const skeleton = new Skeleton();
  const covered: string[] = [];
  let before = tmpfs(`${sys}/devices`, '755');
  const live = ['/devices'];
  let after = `mount -n --bind ${quoted(`${sys}/devices`)} ${quoted(devices)} || exit\n`;
  after += readonly(`${sys}/devices`);

  /** Puts one entry of a tree where it is in the other. */
  const place = (tree: Listed, root: string, path: string): void => {
    const kind = tree.kind(path);
    if (kind === 'dir') skeleton.bindDir(root + path, sys + path);
    else if (kind === 'file') skeleton.bindFile(root + path, sys + path);
    else if (kind === 'link') skeleton.link(sys + path, tree.text(path));
  };

  for (const name of unions) if (real.kind(`/${name}`)) skeleton.bind(`${m}/${name}`, `${sys}/${name}`);

  // kernel: only where something is missing that the model has.
  const needed = ['iommu_groups', 'debug'];
  const wholeKernel = needed.every((name) => real.kind(`/kernel/${name}`) === 'dir');
  if (!wholeKernel) {
    before += tmpfs(`${sys}/kernel`, '755');
    for (const name of real.names('/kernel')) if (!needed.includes(name)) place(real, r, `/kernel/${name}`);
    for (const name of needed) skeleton.dir(`${sys}/kernel/${name}`);
  } else before += tmpfs(`${sys}/kernel/debug`, '700');
  skeleton.bind(`${m}/kernel/iommu_groups`, `${sys}/kernel/iommu_groups`);
  const debug = model.names('/kernel/debug');
  for (const name of debug) place(model, m, `/kernel/debug/${name}`);
  for (const name of real.names('/kernel/debug'))
    if (!debug.includes(name)) place(real, r, `/kernel/debug/${name}`);
  after += readonly(wholeKernel ? `${sys}/kernel/debug` : `${sys}/kernel`);

  const roots = model.names('/devices');
  for (const name of real.names('/devices')) if (!roots.includes(name)) place(real, r, `/devices/${name}`);
  for (const name of roots) {
    const path = `/devices/${name}`;
    if (name === 'virtual' || model.kind(path) !== 'dir' || real.kind(path) !== 'dir') {
      place(model, m, path);
      continue;
    }
    skeleton.dir(sys + path);
    live.push(path);
    const names = model.names(path);
    for (const child of names) place(model, m, `${path}/${child}`);
    const isDevice = model.kind(`${path}/uevent`) !== undefined;
    for (const child of real.names(path)) {
      if (names.includes(child)) continue;
      // What describes a root that both have is the model's.
      if (!isDevice || real.kind(`${path}/${child}/uevent`)) place(real, r, `${path}/${child}`);
    }
  }
  const classes = new Set([...model.names('/class'), ...model.names('/devices/virtual')]);
  for (const name of real.names('/devices/virtual')) {
    const path = `/devices/virtual/${name}`;
    if (real.kind(path) !== 'dir') continue;
    if (!classes.has(name) || (onlyReal.includes(name) && !model.kind(path))) {
      skeleton.bind(r + path, sys + path);
      covered.push(path);
      continue;
    }
    // Not covered: when the machine removes one of them, the mount goes with its name.
    const own = model.names(path);
    for (const child of real.names(path)) {
      const device = `${path}/${child}`;
      if (!own.includes(child) && real.kind(`${device}/uevent`)) skeleton.bind(r + device, sys + device);
    }
  }
  return { script: `${before}${skeleton.script(table)}${after}`, covered, live };
}

/** Classes of the model that have no virtual devices of its own: the machine's are mounted. */
const onlyReal = ['block', 'mem', 'net', 'tty'];

/** A model's tree as a list. */
export function listedModel(sysfs: KernfsDir): Listed {
  const node = (path: string) => {
    let at = sysfs.find(path.split('/')[1]!);
    for (const name of path.split('/').slice(2)) at = at && isDir(at) ? at.find(name) : undefined;
    return at;
  };
  return {
    names: (path) => {
      const dir = node(path);
      return dir && isDir(dir) ? dir.names() : [];
    },
    kind: (path) => {
      const found = node(path);
      if (!found) return undefined;
      if (isDir(found)) return 'dir';
      return found instanceof KernfsLink ? 'link' : 'file';
    },
    text: (path) => (node(path) as KernfsLink).readlink(),
  };
}
