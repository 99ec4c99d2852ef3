/**
 * Facts of the modules that a recording shows below /sys/module.
 * @module
 */

import type { ModuleImage } from '../../../src/base/module.js';
import type { Recorded } from './recorded.js';

/** Every module that the recording has, but those outside the kernel tree. */
export function moduleImages(recorded: Recorded): Record<string, ModuleImage> {
  const names = Object.keys(recorded.nodes).flatMap((path) => /^\/sys\/module\/(\w+)$/.exec(path)?.[1] ?? []);
  const loaded = names.filter((name) => recorded.has(`/sys/module/${name}`));
  return Object.fromEntries(loaded.sort().map((name) => [name, moduleImage(recorded, name)]));
}

export function moduleImage(recorded: Recorded, name: string): ModuleImage {
  const dir = `/sys/module/${name}`;
  const text = (file: string) =>
    recorded.has(`${dir}/${file}`) ? recorded.text(`${dir}/${file}`) : undefined;
  const files = (sub: string, read: (path: string) => string) =>
    Object.fromEntries(
      recorded.entries(`${dir}/${sub}`).map((file) => [file, read(`${dir}/${sub}/${file}`)]),
    );
  return {
    coresize: Number(text('coresize')),
    ...(text('srcversion') !== undefined && { srcversion: text('srcversion') }),
    ...(text('version') !== undefined && { version: text('version') }),
    ...(text('taint') !== '' && { taint: text('taint') }),
    sections: files('sections', (path) => recorded.text(path)),
    notes: files('notes', (path) => recorded.bytes(path).toString('hex')),
  };
}
