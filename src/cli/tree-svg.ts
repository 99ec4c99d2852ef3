/**
 * The picture of `mdevfs tree` as SVG: a column each for parents, types, devices, and who holds them, joined by lines.
 * Every box is as high as what stands beside it on its right.
 * @module
 */

import type { MdevTree } from '../host/mdev-tree.js';
import { factsOf, freeOf } from './tree-text.js';

interface Box {
  lines: readonly string[];
  kind: 'parent' | 'type' | 'full' | 'device' | 'holder';
  below: Box[];
}

const LINE = 16;
const PAD = 8;
const GAP = 10;
/** Of one character, on average. */
const CHARACTER = 7.2;
const BETWEEN = 48;

const style = `
text { font: 12px monospace; fill: #222; }
text:first-of-type { font-weight: bold; }
rect { stroke: #555; rx: 4px; }
path { stroke: #999; fill: none; }
.parent { fill: #dde7f3; } .type { fill: #e3f1de; } .full { fill: #f3dedd; }
.device { fill: #fff; } .holder { fill: #fbf2cd; }
`;

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

function boxesOf({ parents }: MdevTree): Box[] {
  return parents.map((parent) => ({
    lines: [parent.name, ...factsOf(parent)],
    kind: 'parent',
    below: parent.types.map((type) => ({
      lines: [type.name, ...(type.prettyName ? [type.prettyName] : []), freeOf(type)],
      kind: type.free === 0 ? 'full' : 'type',
      below: type.devices.map(({ uuid, iommuGroup, holders }) => ({
        lines: [uuid, ...(iommuGroup === null ? [] : [`group ${iommuGroup}`])],
        kind: 'device',
        below: holders === null ? [] : [{ lines: holders.split(', '), kind: 'holder', below: [] }],
      })),
    })),
  }));
}

const ownHeight = ({ lines }: Box): number => lines.length * LINE + 2 * PAD;

function heightOf(box: Box): number {
  return Math.max(ownHeight(box), stackHeight(box.below));
}

function stackHeight(boxes: readonly Box[]): number {
  return boxes.reduce((sum, box) => sum + heightOf(box), 0) + GAP * Math.max(0, boxes.length - 1);
}

/** Widest box of each column. */
function widthsOf(boxes: readonly Box[], column = 0, widths: number[] = []): number[] {
  for (const { lines, below } of boxes) {
    const width = Math.max(...lines.map(({ length }) => length)) * CHARACTER + 2 * PAD;
    widths[column] = Math.max(widths[column] ?? 0, Math.ceil(width));
    widthsOf(below, column + 1, widths);
  }
  return widths;
}

export function svgOf(tree: MdevTree): string {
  const boxes = boxesOf(tree);
  const widths = widthsOf(boxes);
  const parts: string[] = [];

  /** Draws boxes below each other and returns the middles of them. */
  const stack = (some: readonly Box[], column: number, x: number, top: number): number[] => {
    let y = top;
    return some.map((box) => {
      const height = heightOf(box);
      const middle = y + height / 2;
      const right = x + widths[column]!;
      for (const to of stack(box.below, column + 1, right + BETWEEN, y)) {
        const bend = right + BETWEEN / 2;
        parts.push(
          `<path d="M${right},${middle} C${bend},${middle} ${bend},${to} ${right + BETWEEN},${to}"/>`,
        );
      }
      parts.push(drawn(box, x, middle - ownHeight(box) / 2, widths[column]!));
      y += height + GAP;
      return middle;
    });
  };

  stack(boxes, 0, GAP, GAP);
  const width =
    widths.reduce((sum, each) => sum + each, 0) + BETWEEN * Math.max(0, widths.length - 1) + 2 * GAP;
  const height = stackHeight(boxes) + 2 * GAP;
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>
<title>${escaped(tree.sysfs)}</title>
<style>${style}</style>
${parts.join('\n')}
</svg>
`;
}

function drawn({ lines, kind }: Box, x: number, y: number, width: number): string {
  const texts = lines.map(
    (line, i) => `<text x="${x + PAD}" y="${y + PAD + LINE * (i + 0.75)}">${escaped(line)}</text>`,
  );
  const height = lines.length * LINE + 2 * PAD;
  return `<g><rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}"/>${texts.join('')}</g>`;
}
