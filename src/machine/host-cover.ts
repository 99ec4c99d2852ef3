/**
 * A file of a fixture in the place of one that the emulation has: it shows its own content until something is written,
 * which the other one takes and shows from then on. A `uevent` file is written to announce, not to change it.
 * @module
 */

import type { KernfsFileOps } from '../kernfs/file.js';
import { after } from '../lib/sleep.js';
import type { RawNode } from './fixture-node.js';

/**
 * @param over what the fixture says
 * @param under what is behind it
 */
export function coverOps(
  name: string,
  node: RawNode,
  over: KernfsFileOps,
  under: KernfsFileOps,
): KernfsFileOps {
  const size = node.size ?? (node.hex === undefined ? under.size : over.size);
  let current = over;
  const { store } = under;
  const sameKind = (over.show === undefined) === (under.show === undefined);
  return {
    size,
    ...(over.show && { show: () => current.show!() }),
    ...(over.read && { read: (offset, length) => current.read!(offset, length) }),
    ...(over.store && {
      store: (data, offset) => {
        if (!store) return over.store!(data, offset);
        return after(store(data, offset), (count) => {
          if (sameKind && name !== 'uevent') current = under;
          return count;
        });
      },
    }),
  };
}
