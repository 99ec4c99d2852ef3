/**
 * The graph of `mdevfs tree` in the language of Graphviz: parents, types, devices, groups, holders from left to right.
 * Types of which nothing was made are left out where they would hide the rest.
 * @module
 */

import type { MdevTree } from '../host/mdev-tree.js';
import { factsOf, freeOf } from './tree-text.js';

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;

export function dotOf({ sysfs, parents }: MdevTree): string {
  const lines: string[] = [];
  const node = (id: string, label: string, shape: string): void =>
    void lines.push(`${quoted(id)} [label=${quoted(label)}, shape=${shape}];`);
  const edge = (from: string, to: string): void => void lines.push(`${quoted(from)} -> ${quoted(to)};`);
  for (const parent of parents) {
    node(parent.name, [parent.name, ...factsOf(parent)].join('\n'), 'box3d');
    for (const type of parent.types) {
      const typeId = `${parent.name}/${type.name}`;
      node(
        typeId,
        [type.name, ...(type.prettyName ? [type.prettyName] : []), freeOf(type)].join('\n'),
        'box',
      );
      edge(parent.name, typeId);
      for (const { uuid, iommuGroup, holders } of type.devices) {
        node(uuid, uuid, 'ellipse');
        edge(typeId, uuid);
        if (iommuGroup !== null) {
          node(`group ${iommuGroup}`, `group ${iommuGroup}`, 'folder');
          edge(uuid, `group ${iommuGroup}`);
        }
        if (holders === null) continue;
        node(`${uuid} holders`, holders.replaceAll(', ', '\n'), 'note');
        edge(`${uuid} holders`, uuid);
      }
    }
  }
  const body = lines.map((line) => `  ${line}\n`).join('');
  return `digraph mdev {\n  label=${quoted(sysfs)};\n  rankdir=LR;\n  node [fontname="sans-serif"];\n${body}}\n`;
}
