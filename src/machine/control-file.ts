/**
 * Control files whose reading lists something: a line each, any number of them, as they were when the file was opened.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, type KernfsFileOps } from '../kernfs/file.js';
import { after, type Sleeps } from '../lib/sleep.js';

export interface ListFile {
  lines(): readonly string[];
  /** What one write brought. */
  store(text: string): Sleeps<void>;
}

/** @param open what takes the writes of one opening, when each has a state of its own */
export function listFile(
  dir: KernfsDir,
  name: string,
  list: ListFile,
  open?: () => Pick<KernfsFileOps, 'store' | 'release'>,
): void {
  const taking: Pick<KernfsFileOps, 'store' | 'release'> = {
    store: (data) => after(list.store(Buffer.from(data).toString('utf8')), () => data.length),
  };
  const reading = (): Pick<KernfsFileOps, 'read'> => {
    let text: Buffer | undefined;
    return {
      read(offset, length) {
        if (offset === 0) text = undefined;
        text ??= Buffer.from(
          list
            .lines()
            .map((line) => `${line}\n`)
            .join(''),
        );
        return text.subarray(offset, offset + length);
      },
    };
  };
  const ops = (): KernfsFileOps => ({ size: 0, ...reading(), ...(open?.() ?? taking) });
  dir.add(new KernfsFile(dir.root, name, 0o600, { ...ops(), open: ops }));
}
