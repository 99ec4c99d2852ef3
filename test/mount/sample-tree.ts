/**
 * A small tree that has one of everything a transport must carry: texts, a binary file, links, files that
 * refuse, block, notify and fail, and devices that come and go. What was stored is shown by `log`.
 * @module
 */

import type { KernfsDir } from '../../src/kernfs/dir.js';
import type { KernfsFile } from '../../src/kernfs/file.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { Errno, KernelError } from '../../src/lib/errno.js';
import { type Attribute, attributeFile, type BinAttribute } from '../../src/sysfs/attribute.js';
import { AttributeGroup } from '../../src/sysfs/group.js';

const power = new AttributeGroup<object>({
  name: 'power',
  attributes: [{ name: 'control', mode: 0o644, show: () => 'auto\n', store: () => {} }],
});

const bytes = Buffer.from('0123456789abcdef');

export function sampleTree(): KernfsDir {
  const root = kernfsCreateRoot(() => performance.timeOrigin + performance.now());
  const stores: string[] = [];
  const sleepers: (() => void)[] = [];
  let shown = 0;

  const addFile = (
    dir: KernfsDir,
    name: string,
    mode: number,
    ops: Partial<Attribute<object>> | Partial<BinAttribute<object>>,
  ): KernfsFile => dir.add(attributeFile(root.root, { name, mode, ...ops } as Attribute<object>, {}));

  const devices = root.addDir('devices');
  const bus = root.addDir('bus');
  const addDevice = (name: string): void => {
    if (devices.has(name)) throw new KernelError(Errno.EEXIST);
    const dir = devices.addDir(name, {});
    dir.addTemplate(power);
    addFile(dir, 'name', 0o444, { show: () => `${name}\n` });
    addFile(dir, 'remove', 0o200, {
      store: () => {
        bus.removeChild(name);
        devices.removeChild(name);
      },
    });
    bus.addLink(name, dir);
  };
  addFile(devices, 'create', 0o200, { store: (_, text) => addDevice(text.trimEnd()) });
  addDevice('dev0');
  addDevice('dev1');

  const attrs = root.addDir('attrs');
  addFile(attrs, 'count', 0o444, { show: () => `${++shown}\n` });
  addFile(attrs, 'long', 0o444, { show: () => 'x'.repeat(5000) });
  addFile(attrs, 'empty', 0o444, { show: () => '' });
  addFile(attrs, 'both', 0o644, { show: () => 'both\n', store: () => {} });
  addFile(attrs, 'log', 0o444, { show: () => stores.map((text) => `${text}\n`).join('') });
  addFile(attrs, 'store', 0o200, {
    store: (_, text) => void stores.push(text.length > 80 ? `${text.length} bytes` : JSON.stringify(text)),
  });
  addFile(attrs, 'clear', 0o200, { store: () => void stores.splice(0) });
  addFile(attrs, 'errno', 0o200, {
    store: (_, text) => {
      throw new KernelError(Number(text));
    },
  });
  addFile(attrs, 'bug', 0o644, {
    show: () => {
      throw new TypeError('a bug in show');
    },
    store: async () => {
      throw new TypeError('a bug in store');
    },
  });
  addFile(attrs, 'block', 0o200, {
    store: () => new Promise<void>((wake) => void sleepers.push(wake)),
  });
  addFile(attrs, 'blocked', 0o444, { show: () => `${sleepers.length}\n` });
  addFile(attrs, 'release', 0o200, {
    store: () => {
      for (const wake of sleepers.splice(0)) wake();
    },
  });
  const event = addFile(attrs, 'event', 0o444, { show: () => 'event\n' });
  addFile(attrs, 'notify', 0o200, { store: () => event.notify() });
  addFile(attrs, 'binary', 0o444, {
    size: () => bytes.length,
    read: (_owner: object, offset: number, length: number) => bytes.subarray(offset, offset + length),
  });
  return root;
}
