/**
 * The choice of an IOVA for a mapping that does not say where (`iopt_alloc_iova`): the lowest that fits, never 0, and as
 * well aligned as the memory is, so that large pages could be used.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import type { IntervalMap } from '../lib/interval-map.js';
import type { IovaRange } from '../uapi/iommufd.js';
import type { IoasArea } from './ioas-area.js';
import { PAGE_SIZE_64 as PAGE_SIZE } from './user-page.js';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const LOWEST = PAGE_SIZE;
const HIGHEST = U64_MAX - PAGE_SIZE;

/**
 * @param allowed ranges to choose from, in order; none for all
 * @param alignment the least alignment
 * @param address of the memory that is going to be mapped
 * @throws EOVERFLOW for half of all IOVAs or more; EINVAL when the memory is not aligned well enough; ENOSPC
 */
export function chooseIova(
  areas: IntervalMap<IoasArea>,
  allowed: readonly IovaRange[],
  alignment: bigint,
  address: bigint,
  length: bigint,
): bigint {
  if (length >= U64_MAX / 2n) throw new KernelError(Errno.EOVERFLOW);
  const wanted = wantedAlignment(address, length);
  if (wanted < alignment) throw new KernelError(Errno.EINVAL);
  const pageOffset = address % PAGE_SIZE;
  const fit = ({ start, last }: IovaRange): bigint | undefined => {
    const at = ((start + wanted - 1n) & -wanted) | pageOffset;
    return at < last && last - at >= length - 1n ? at : undefined;
  };
  for (const range of spans(allowed)) {
    const start = fit(range);
    if (start === undefined) continue;
    for (const hole of holes(areas, { start, last: range.last })) {
      const iova = fit(hole);
      if (iova !== undefined) return iova;
    }
  }
  throw new KernelError(Errno.ENOSPC);
}

/** The length rounded up to a power of two, or the alignment of the memory if that is less. */
function wantedAlignment(address: bigint, length: bigint): bigint {
  let size = 1n;
  while (size < length) size <<= 1n;
  const ofAddress = address & -address;
  return address !== 0n && ofAddress < size ? ofAddress : size;
}

/** The allowed ranges as far as they may be chosen from; neighbours are one. */
function* spans(allowed: readonly IovaRange[]): Generator<IovaRange> {
  if (allowed.length === 0) return yield { start: LOWEST, last: HIGHEST };
  let span: IovaRange | undefined;
  for (const { start, last } of allowed) {
    if (last < LOWEST || start > HIGHEST) continue;
    if (span && start === span.last + 1n) span.last = last;
    else {
      if (span) yield span;
      span = { start: start < LOWEST ? LOWEST : start, last };
    }
    if (span.last > HIGHEST) span.last = HIGHEST;
  }
  if (span) yield span;
}

/** What nothing is mapped at in a range. */
function* holes(areas: IntervalMap<IoasArea>, { start, last }: IovaRange): Generator<IovaRange> {
  let at = start;
  for (const area of areas.overlapping(start, last)) {
    if (area.start > at) yield { start: at, last: area.start - 1n };
    at = area.last + 1n;
  }
  if (at <= last) yield { start: at, last };
}
